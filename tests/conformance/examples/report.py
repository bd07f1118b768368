"""Metrics in series, and things to look at: a figure, a table, a page and a text."""

import matplotlib
import pandas as pd

from kalelite import log_artifact, log_metric, pipeline, step

matplotlib.use("Agg")


@step
def train(epochs: int):
    losses = []
    for epoch in range(epochs):
        losses.append(1 / (epoch + 1))
        log_metric("loss", losses[-1], step=epoch)
    return losses


@step
def draw(losses):
    from matplotlib import pyplot

    figure, axes = pyplot.subplots()
    axes.plot(losses)
    log_artifact(figure, "curve")
    log_artifact(pd.DataFrame({"loss": losses}), "table")
    log_artifact("# What came out\n\nIt learns.", "text")
    log_artifact("<h1>It learns</h1>", "page")
    log_metric("best", min(losses))


@pipeline
def main(epochs: int = 4):
    draw(train(epochs))


VALUES = {"train": [1.0, 0.5, 1 / 3, 0.25]}
METRICS = {"train.loss": 0.25, "draw.best": 0.25}
ARTIFACTS = {
    "draw.curve": "image",
    "draw.table": "html",
    "draw.text": "markdown",
    "draw.page": "html",
}
ORDER = ["train", "draw"]
