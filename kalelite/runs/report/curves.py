"""Series of numbers as a plot of lines: a small SVG, which needs no library."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from kalelite.runs.report.markup import Markup, element, shown
from kalelite.runs.run_dirs import task_of

Points = Sequence[tuple[float, float]]
"""Places and values, in the order in which they were logged; the values may be infinite or NaN."""

_WIDTH, _HEIGHT = 360.0, 200.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 46.0, 8.0, 8.0, 22.0
_MOST_POINTS = 400
_COLOURS = 6
_MOST_LINES = 24


def plots(runs: Mapping[str, Mapping[str, Points]]) -> Markup:
    """A plot for each metric of a task, with a line for each run and each instance of the task.

    ``runs`` are the series of each run; their names are in the key where there are several.
    """
    grouped: dict[str, dict[str, Points]] = {}
    for run, curves in runs.items():
        for name, points in curves.items():
            instance, _, metric = name.rpartition(".")
            task = task_of(instance)
            line = " ".join(part for part in (run, instance if instance != task else "") if part)
            if len(points) > 1:
                grouped.setdefault(f"{task}.{metric}", {})[line or name] = points
    made = [plot(title, lines) for title, lines in grouped.items()]
    return element("div", *made, class_="plots") if made else Markup("")


def plot(title: str, lines: Mapping[str, Points]) -> Markup:
    """The lines over each other, with their names below where there are several."""
    drawn = {
        name: [point for point in points if all(map(math.isfinite, point))]
        for name, points in list(lines.items())[:_MOST_LINES]
    }
    drawn = {name: points for name, points in drawn.items() if points}
    if not drawn:
        return Markup("")
    x_range = _range([x for points in drawn.values() for x, _ in points])
    y_range = _range([y for points in drawn.values() for _, y in points])
    y_ticks = _ticks(*y_range)
    y_range = min(y_range[0], y_ticks[0]), max(y_range[1], y_ticks[-1])
    parts = [
        *(_y_tick(tick, y_range) for tick in y_ticks),
        *(_x_tick(tick, x_range) for tick in _ticks(*x_range) if x_range[0] <= tick <= x_range[1]),
        *(
            _line(position, points, x_range, y_range)
            for position, points in enumerate(drawn.values())
        ),
    ]
    about = "; ".join(_about(name, points) for name, points in drawn.items())
    svg = element(
        "svg",
        *parts,
        class_="plot",
        viewBox=f"0 0 {_WIDTH:g} {_HEIGHT:g}",
        role="img",
        aria_label=f"{title} as a plot: {about}",
    )
    more = len(lines) - _MOST_LINES
    note = element("p", f"… and {more} more lines", class_="soft") if more > 0 else ""
    return element("figure", element("figcaption", title), svg, _key(drawn), note)


def _about(name: str, points: Points) -> str:
    values = [value for _, value in points]
    return (
        f"{name}, {len(points)} points, from {values[0]:.4g} to {values[-1]:.4g}, "
        f"lowest {min(values):.4g}, highest {max(values):.4g}"
    )


def _key(lines: Mapping[str, Points]) -> Markup:
    if len(lines) < 2:
        return Markup("")
    return element("ul", *(_named(*one) for one in enumerate(lines)), class_="key")


def _named(position: int, name: str) -> Markup:
    stroke = element("line", x1="0", x2="22", y1="4", y2="4", class_=_colour(position))
    return element(
        "li", element("svg", stroke, width="24", height="8", aria_hidden="true"), f" {name}"
    )


def _colour(position: int) -> str:
    return f"l{position % _COLOURS}"


def _range(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _ticks(low: float, high: float) -> list[float]:
    """Three to six round numbers around a range."""
    raw = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)
    first = math.floor(low / step)
    return [index * step for index in range(first, math.ceil(high / step) + 1)]


def _x(value: float, range_: tuple[float, float]) -> float:
    return _LEFT + (value - range_[0]) / (range_[1] - range_[0]) * (_WIDTH - _LEFT - _RIGHT)


def _y(value: float, range_: tuple[float, float]) -> float:
    room = _HEIGHT - _TOP - _BOTTOM
    return _TOP + room - (value - range_[0]) / (range_[1] - range_[0]) * room


def _label(value: float) -> str:
    return f"{value:.4g}" if value else "0"


def _y_tick(value: float, range_: tuple[float, float]) -> Markup:
    y = f"{_y(value, range_):.1f}"
    grid = element("line", class_="grid", x1=f"{_LEFT:g}", x2=f"{_WIDTH - _RIGHT:g}", y1=y, y2=y)
    return shown(
        grid,
        element("text", _label(value), x=f"{_LEFT - 6:g}", y=y, dy="4", text_anchor="end"),
    )


def _x_tick(value: float, range_: tuple[float, float]) -> Markup:
    x = f"{_x(value, range_):.1f}"
    return element("text", _label(value), x=x, y=f"{_HEIGHT - 6:g}", text_anchor="middle")


def _line(
    position: int, points: Points, x_range: tuple[float, float], y_range: tuple[float, float]
) -> Markup:
    places = [(f"{_x(x, x_range):.1f}", f"{_y(y, y_range):.1f}") for x, y in _thinned(points)]
    colour = _colour(position)
    if len(places) == 1:
        ((x, y),) = places
        return element("circle", cx=x, cy=y, r="3", class_=colour)
    return element("polyline", points=" ".join(map(",".join, places)), class_=colour)


def _thinned(points: Points) -> Iterator[tuple[float, float]]:
    """Few enough points, which still show every peak."""
    if len(points) <= _MOST_POINTS:
        yield from points
        return
    size = math.ceil(len(points) / (_MOST_POINTS // 2))
    for start in range(0, len(points), size):
        part = points[start : start + size]
        ends = {min(part, key=lambda point: point[1]), max(part, key=lambda point: point[1])}
        yield from sorted(ends)
