"""Series of numbers as a plot of lines: a small SVG, which needs no library."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from kalelite.frozen import frozen
from kalelite.runs.report.markup import Markup, element, shown
from kalelite.runs.run_dirs import task_of

Points = Sequence[tuple[float, float]]
"""Places and values, in the order in which they were logged; the values may be infinite or NaN."""

_WIDTH, _HEIGHT = 360.0, 200.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 46.0, 8.0, 8.0, 22.0
_MOST_POINTS = 400
_COLOURS = 6
_MOST_LINES = 24
_MOST_NAMES = 6


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


@frozen
class Axis:
    """Numbers along a side of a plot, and what is written beside it: places and texts."""

    low: float
    high: float
    ticks: Sequence[tuple[float, str]]
    log: bool = False

    @classmethod
    def over(cls, values: Sequence[float], *, log: bool = False, round_ends: bool = False) -> Axis:
        """That of finite numbers, positive ones for ``log``; ``round_ends``: from tick to tick."""
        low, high = min(values), max(values)
        if high <= low:
            low, high = (low / 2, high * 2) if log else (low - 0.5, high + 0.5)
        places = _decades(low, high) if log else _ticks(low, high)
        if round_ends:
            low, high = min(low, places[0]), max(high, places[-1])
        inside = [place for place in places if low <= place <= high]
        return cls(low, high, [(place, f"{place:.4g}" if place else "0") for place in inside], log)

    @classmethod
    def of_names(cls, names: Sequence[str]) -> Axis:
        """That of names, which are at 0, 1, 2, …; of many only some are written."""
        apart = math.ceil(len(names) / _MOST_NAMES)
        ticks = [(float(at), name[:14]) for at, name in enumerate(names) if at % apart == 0]
        return cls(-0.5, len(names) - 0.5, ticks)

    def at(self, value: float) -> float:
        """From 0 to 1."""
        low, high, place = (
            map(math.log, (self.low, self.high, value))
            if self.log
            else (self.low, self.high, value)
        )
        return (place - low) / (high - low)


_ANY = Axis(0, 1, ())


def plot(title: str, lines: Mapping[str, Points]) -> Markup:
    """The lines over each other, with their names below where there are several."""
    drawn = {
        name: [point for point in points if all(map(math.isfinite, point))]
        for name, points in list(lines.items())[:_MOST_LINES]
    }
    drawn = {name: points for name, points in drawn.items() if points}
    if not drawn:
        return Markup("")
    across = Axis.over([x for points in drawn.values() for x, _ in points])
    up = Axis.over([y for points in drawn.values() for _, y in points], round_ends=True)
    made = [line(n, points, across, up) for n, points in enumerate(drawn.values())]
    about = "; ".join(_about(name, points) for name, points in drawn.items())
    more = len(lines) - _MOST_LINES
    note = element("p", f"… and {more} more lines", class_="soft") if more > 0 else ""
    return figure(title, about, across, up, *made, below=shown(_key(drawn), note))


def figure(title: str, about: str, across: Axis, up: Axis, *parts: str, below: str = "") -> Markup:
    """Lines and dots between two axes, with a title; ``about`` is for those who cannot see it."""
    svg = element(
        "svg",
        *(_y_tick(place, text, up) for place, text in up.ticks),
        *(_x_tick(place, text, across) for place, text in across.ticks),
        *parts,
        class_="plot",
        viewBox=f"0 0 {_WIDTH:g} {_HEIGHT:g}",
        role="img",
        aria_label=f"{title} as a plot: {about}",
    )
    return element("figure", element("figcaption", title), svg, below)


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


def _ticks(low: float, high: float) -> list[float]:
    """Three to six round numbers around a range."""
    raw = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)
    first = math.floor(low / step)
    return [index * step for index in range(first, math.ceil(high / step) + 1)]


def _decades(low: float, high: float) -> list[float]:
    """The powers of ten in a range; its ends where it has few of them."""
    first, last = math.ceil(math.log10(low)), math.floor(math.log10(high))
    found = [10.0**power for power in range(first, last + 1)]
    return found if len(found) > 1 else [low, high]


def _place(x: float, y: float, across: Axis, up: Axis) -> tuple[str, str]:
    """Where a point is in the picture."""
    wide, high = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
    return f"{_LEFT + across.at(x) * wide:.1f}", f"{_TOP + high - up.at(y) * high:.1f}"


def _y_tick(place: float, text: str, up: Axis) -> Markup:
    y = _place(0, place, _ANY, up)[1]
    grid = element("line", class_="grid", x1=f"{_LEFT:g}", x2=f"{_WIDTH - _RIGHT:g}", y1=y, y2=y)
    return shown(grid, element("text", text, x=f"{_LEFT - 6:g}", y=y, dy="4", text_anchor="end"))


def _x_tick(place: float, text: str, across: Axis) -> Markup:
    x = _place(place, 0, across, _ANY)[0]
    return element("text", text, x=x, y=f"{_HEIGHT - 6:g}", text_anchor="middle")


def line(position: int, points: Points, across: Axis, up: Axis) -> Markup:
    """A line through points, in the colour of its position; one point is a dot."""
    places = [_place(x, y, across, up) for x, y in _thinned(points)]
    if len(places) == 1:
        return dot(position, points[0], across, up)
    return element("polyline", points=" ".join(map(",".join, places)), class_=_colour(position))


def dot(
    position: int,
    point: tuple[float, float],
    across: Axis,
    up: Axis,
    *,
    radius: int = 3,
    about: str = "",
) -> Markup:
    """A dot in the colour of a position; ``about`` is shown where the mouse is over it."""
    x, y = _place(*point, across, up)
    title = element("title", about) if about else ""
    return element("circle", title, cx=x, cy=y, r=str(radius), class_=_colour(position))


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
