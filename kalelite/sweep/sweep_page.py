"""A sweep as a page that opens anywhere: how its objective went, and what it depends on."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from kalelite.humanize import duration
from kalelite.runs.report.curves import Axis, Points, dot, figure, line
from kalelite.runs.report.markup import Markup, element, section, table
from kalelite.runs.report.web_page import Site, contents, state_badge, web_page
from kalelite.sweep.space import text_of
from kalelite.sweep.sweep_record import Sweep, Trial


def sweep_page(sweep: Sweep) -> str:
    """The page."""
    best = sweep.best()
    title = f"Sweep {sweep.id}"
    done = f"{len(sweep.done)} of {sweep.number} trials succeeded."
    head = [element("h1", title), element("p", done, class_="soft")]
    if best is not None:
        point = ", ".join(f"{name} = {text_of(value)}" for name, value in best.point.items())
        text = f"Best: {sweep.objective} {best.value:.6g} with {point}, run {best.run}."
        head.append(element("p", text))
    plots = list(_plots(sweep))
    parts = [
        ("plots", "Plots", element("div", *plots, class_="plots") if plots else ""),
        ("trials", "Trials", _table(sweep, best)),
    ]
    head.append(contents(*((id, name) for id, name, part in parts if part)))
    return web_page(title, head, *(section(*part) for part in parts), site=Site())


def _table(sweep: Sweep, best: Trial | None) -> Markup:
    heads = ("Trial", *sweep.space, sweep.objective or "Value", "State", "Took", "Run")
    rows = []
    for trial in sweep.trials:
        value = trial.problem or ("" if trial.value is None else f"{trial.value:.6g}")
        rows.append(
            (
                str(trial.number),
                *(_short(trial.point[name]) for name in sweep.space),
                element("mark", f"{value} best") if trial is best else value,
                state_badge(trial.state),
                duration(trial.seconds) if trial.seconds else "",
                trial.run,
            )
        )
    return table("The trials of the sweep", heads, rows)


def _short(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else text_of(value)


def _plots(sweep: Sweep) -> Iterator[Markup]:
    """The objective of each trial with the best so far, and by each of what is swept."""
    known = [
        trial for trial in sweep.done if trial.value is not None and math.isfinite(trial.value)
    ]
    if len(known) < 2:
        return
    better = max if sweep.maximize else min
    so_far: list[tuple[float, float]] = []
    for trial in known:
        before = so_far[-1][1] if so_far else trial.value or 0.0
        so_far += [(trial.number, before), (trial.number, better(trial.value or 0.0, before))]
    numbers = [float(trial.number) for trial in known]
    yield _plot(sweep, known, "trial", numbers, Axis.over(numbers), so_far)
    for name, text in sweep.space.items():
        values = [trial.point[name] for trial in known]
        yield _plot(sweep, known, name, *_placed(values, log=text.rstrip().endswith("log")))


def _placed(values: Sequence[Any], *, log: bool) -> tuple[list[float], Axis]:
    """Where values are on an axis, and that axis; what is no number gets a place each."""
    if all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values):
        return list(values), Axis.over(values, log=log)
    names = list(dict.fromkeys(map(text_of, values)))
    return [float(names.index(text_of(value))) for value in values], Axis.of_names(names)


def _plot(
    sweep: Sweep,
    known: Sequence[Trial],
    name: str,
    places: Sequence[float],
    across: Axis,
    course: Points = (),
) -> Markup:
    best = sweep.best()
    heights = [trial.value or 0.0 for trial in known]
    up = Axis.over(heights, round_ends=True)
    dots = []
    for trial, at, height in zip(known, places, heights, strict=True):
        about = f"trial {trial.number}: {height:.6g}"
        colour, size = (4, 6) if trial is best else (0, 4)
        dots.append(dot(colour, (at, height), across, up, radius=size, about=about))
    drawn = [line(1, course, across, up)] if course else []
    text = f"{len(known)} trials, from {min(heights):.4g} to {max(heights):.4g}"
    text += f", the best is trial {best.number}" if best is not None else ""
    key = "The best trial has the large dot; the line is the best so far."
    below = element("p", key, class_="soft") if course else ""
    return figure(f"{sweep.objective} by {name}", text, across, up, *drawn, *dots, below=below)
