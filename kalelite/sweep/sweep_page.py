"""A sweep as a page that opens anywhere: how its objective went, and what it depends on."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from kalelite.frozen import frozen
from kalelite.sweep.space import text_of
from kalelite.sweep.sweep_record import Sweep, Trial

_WIDTH, _HEIGHT, _MARGIN = 360, 220, 44
_STYLE = """
:root { color-scheme: light dark }
body { font: 15px/1.5 system-ui, sans-serif; margin: 24px auto; max-width: 1100px; padding: 0 16px }
.plots { display: flex; flex-wrap: wrap; gap: 16px }
figure { margin: 0 } figcaption { font-weight: 600 }
svg { max-width: 100%; height: auto } svg text { font-size: 11px; fill: currentColor }
.axis { stroke: currentColor; opacity: .4 } .dot { fill: #3b7dd8 } .best { fill: #d9480f }
.line { fill: none; stroke: #d9480f; stroke-width: 1.5 }
.wide { overflow-x: auto } table { border-collapse: collapse }
th, td { padding: 3px 12px 3px 0; text-align: left; white-space: nowrap }
tr.top { font-weight: 600 }
"""


def sweep_page(sweep: Sweep) -> str:
    """The page."""
    best = sweep.best()
    known = [
        trial for trial in sweep.done if trial.value is not None and math.isfinite(trial.value)
    ]
    plots = []
    if len(known) > 1:
        plots.append(_course(sweep, known))
        plots += [_dependence(sweep, known, name) for name in sweep.space]
    head = f"{len(sweep.done)} of {sweep.number} trials succeeded."
    if best is not None:
        point = ", ".join(f"{name} = {text_of(value)}" for name, value in best.point.items())
        head += f" Best: {sweep.objective} {best.value:.6g} with {point}, run {best.run}."
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Sweep {escape(sweep.id)}</title><style>{_STYLE}</style>"
        f"<h1>Sweep {escape(sweep.id)}</h1><p>{escape(head)}</p>"
        f'<div class="plots">{"".join(plots)}</div>{_table(sweep, best)}</html>'
    )


def _table(sweep: Sweep, best: Trial | None) -> str:
    names = list(sweep.space)
    titles = ["trial", *names, sweep.objective or "", "state", "seconds", "run"]
    head = "".join(f'<th scope="col">{escape(title)}</th>' for title in titles)
    rows = []
    for trial in sweep.trials:
        value = trial.problem or ("" if trial.value is None else f"{trial.value:.6g}")
        cells = [
            str(trial.number),
            *(text_of(trial.point[name]) for name in names),
            value,
            trial.state,
            f"{trial.seconds:.2f}",
            trial.run,
        ]
        mark = ' class="top"' if trial is best else ""
        rows.append(f"<tr{mark}>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>")
    return f'<h2>Trials</h2><div class="wide"><table><tr>{head}</tr>{"".join(rows)}</table></div>'


@frozen
class Scale:
    """Numbers, or names, along a length of the plot. ``ticks`` are what is written beside it."""

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    log: bool = False

    def at(self, value: float) -> float:
        """From 0 to 1."""
        low, high = self._place(self.low), self._place(self.high)
        return 0.5 if high == low else (self._place(value) - low) / (high - low)

    def _place(self, value: float) -> float:
        return math.log(value) if self.log else value


def _scale(values: Sequence[Any], *, log: bool = False) -> tuple[Scale, list[float]]:
    """A scale for values, and where they are on it; what is no number gets a place each."""
    if all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values):
        low, high = min(values), max(values)
        ends = dict.fromkeys((low, high))
        return Scale(low, high, tuple((end, f"{end:.4g}") for end in ends), log), list(values)
    names = list(dict.fromkeys(text_of(value) for value in values))
    places = [float(names.index(text_of(value))) for value in values]
    ticks = tuple((float(at), name[:14]) for at, name in enumerate(names))
    return Scale(0, len(names) - 1, ticks), places


def _course(sweep: Sweep, known: Sequence[Trial]) -> str:
    """The objective of each trial, and the best so far."""
    better = max if sweep.maximize else min
    steps: list[tuple[float, float]] = []
    for trial in known:
        value = trial.value or 0.0
        steps.append((trial.number, better(value, steps[-1][1]) if steps else value))
    return _plot(sweep, known, "trial", [trial.number for trial in known], line=steps)


def _dependence(sweep: Sweep, known: Sequence[Trial], name: str) -> str:
    log = sweep.space[name].rstrip().endswith("log")
    return _plot(sweep, known, name, [trial.point[name] for trial in known], log=log)


def _plot(
    sweep: Sweep,
    known: Sequence[Trial],
    name: str,
    values: Sequence[Any],
    *,
    line: Iterable[tuple[float, float]] = (),
    log: bool = False,
) -> str:
    across, places = _scale(values, log=log)
    up, heights = _scale([trial.value for trial in known])
    wide, high = _WIDTH - 2 * _MARGIN, _HEIGHT - 2 * _MARGIN

    def x(value: float) -> float:
        return round(_MARGIN + across.at(value) * wide, 1)

    def y(value: float) -> float:
        return round(_HEIGHT - _MARGIN - up.at(value) * high, 1)

    best = sweep.best()
    dots = "".join(
        f'<circle class="{"best" if trial is best else "dot"}" cx="{x(at)}" cy="{y(height)}" r="4">'
        f"<title>trial {trial.number}: {height:.6g}</title></circle>"
        for trial, at, height in zip(known, places, heights, strict=True)
    )
    points = " ".join(f"{x(at)},{y(height)}" for at, height in line)
    path = f'<polyline class="line" points="{points}"/>' if points else ""
    bottom = _HEIGHT - _MARGIN
    marks = "".join(
        f'<text x="{x(at)}" y="{bottom + 16}" text-anchor="middle">{escape(text)}</text>'
        for at, text in across.ticks
    ) + "".join(
        f'<text x="{_MARGIN - 6}" y="{y(at) + 4}" text-anchor="end">{escape(text)}</text>'
        for at, text in up.ticks
    )
    axes = f'<path class="axis" fill="none" d="M{_MARGIN} {_MARGIN - 8}V{bottom}H{_WIDTH - _MARGIN + 8}"/>'
    title = f"{sweep.objective} by {name}"
    return (
        f"<figure><figcaption>{escape(title)}</figcaption>"
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" role="img" '
        f'aria-label="{escape(title)}">{axes}{path}{dots}{marks}</svg></figure>'
    )
