"""All runs as a DataFrame."""

from __future__ import annotations

import pytest

import kalelite
from kalelite import log_metric, pipeline, step
from kalelite.authoring.backends import use_backend
from kalelite.backends.local.local_backend import LocalBackend
from kalelite.backends.local.local_settings import LocalSettings
from kalelite.runs.pipeline_run import Run
from kalelite.runs.run_tags import RunTags

pytest.importorskip("pandas", reason="pip install pandas")


@step
def train(rate: float):
    log_metric("loss", rate / 2)


@pipeline
def study(rate: float):
    train(rate)


def test_every_run_is_a_row_with_its_parameters_and_metrics(tmp_path):
    with use_backend(LocalBackend(LocalSettings(home=tmp_path))):
        study(1.0)
        study(3.0)
    RunTags("best", "", {"data": "v2"}).write(Run.open(folder=tmp_path).folder)

    frame = kalelite.runs.table(folder=tmp_path)

    assert list(frame["parameters.rate"]) == [3.0, 1.0]
    assert list(frame["metrics.train.loss"]) == [1.5, 0.5]
    assert list(frame["name"]) == ["best", ""]
    assert frame["tags.data"].iloc[0] == "v2"
    assert set(frame["state"]) == {"succeeded"}
    assert str(frame["started"].dt.tz) == "UTC"
    assert frame.index.name == "run"
    assert len(kalelite.runs.table(folder=tmp_path, limit=1)) == 1
    assert kalelite.runs.table(folder=tmp_path / "none").empty
