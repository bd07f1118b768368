"""Arranges boxes in layers: each below all that it depends on, few crossings, short edges.

A layer is the longest path from the top, with a bound on its width. Sweeps down and up draw each
box to the mean of its neighbours: their order is the order of the layer.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from kalelite.frozen import frozen

GAP_X = 24.0
THIN_GAP = 11.0
GAP_Y = 40.0
LEAST_WIDTH = 2400.0
SWEEPS = 8
STRAIGHT = 4.0  # how much more two bends of a link pull at each other than boxes do

Stroke = tuple[float, float, float]
"""A vertical piece of an edge: its x, where it begins and where it ends."""

Ends = dict[str, list[tuple[str, float, float]]]
"""For each box its neighbours in a layer, where their link touches them, and where the box."""


@frozen
class Link:
    """An edge between two boxes; ``out`` and ``into`` are where it begins and ends, in from the left."""

    start: str
    end: str
    out: float
    into: float


@frozen
class Arrangement:
    """Upper left corners of the boxes, the strokes of each link, and the size of it all."""

    corners: Mapping[str, tuple[float, float]]
    strokes: Sequence[tuple[Stroke, ...]]
    width: float
    height: float


@dataclass(slots=True)
class _Grid:
    """The boxes in their layers. Bends are boxes of no size where a long link passes a layer."""

    rows: list[list[str]]
    widths: dict[str, float]
    bends: set[str] = field(default_factory=set)
    up: Ends = field(default_factory=dict)
    down: Ends = field(default_factory=dict)

    def join(self, upper: str, lower: str, out: float, into: float) -> None:
        """Note that a piece of a link runs from one box to one in the next layer."""
        below = self.down.setdefault(upper, [])
        if (lower, into, out) not in below:
            below.append((lower, into, out))
            self.up.setdefault(lower, []).append((upper, out, into))

    def room(self, left: str, right: str) -> float:
        """The least distance of the left sides of two neighbours."""
        thin = not self.widths[left] or not self.widths[right]
        return self.widths[left] + (THIN_GAP if thin else GAP_X)


def arrange(
    sizes: Mapping[str, tuple[float, float]],
    links: Sequence[Link],
    *,
    first: Collection[str] = (),
    last: Collection[str] = (),
    fixed: Sequence[str] = (),
) -> Arrangement:
    """Arrange boxes of given widths and heights.

    A link that closes a ring is drawn straight up, whatever is in its way. Boxes in ``first`` and
    ``last`` stand above and below all others, those in ``fixed`` in this order from left to right
    where they stand in one layer.
    """
    rows = _rows(sizes, links, first, last)
    level = {id: index for index, row in enumerate(rows) for id in row}
    grid = _Grid([list(row) for row in rows], {id: width for id, (width, _) in sizes.items()})
    chains = _bend(grid, links, level)
    places = _place(grid, {id: rank for rank, id in enumerate(fixed)})
    tops, bottoms = _heights(grid, sizes)
    strokes = []
    for link, chain in zip(links, chains, strict=True):
        row = level[link.start]
        begin, end = places[link.start] + link.out, places[link.end] + link.into
        bottom = tops[row] + sizes[link.start][1]
        # A link that runs up keeps to its box, and does not go on to the end of the layer.
        lowest = bottoms[row] if row < level[link.end] else bottom
        bends = ((places[bend], tops[at], bottoms[at]) for at, bend in enumerate(chain, row + 1))
        top = tops[level[link.end]]
        strokes.append(((begin, bottom, lowest), *bends, (end, top, top)))
    corners = {id: (places[id], tops[row]) for id, row in level.items()}
    width = max((places[id] + grid.widths[id] for id in places), default=0.0)
    return Arrangement(corners, strokes, width, bottoms[-1] if bottoms else 0.0)


def _rows(
    sizes: Mapping[str, tuple[float, float]],
    links: Sequence[Link],
    first: Collection[str],
    last: Collection[str],
) -> list[list[str]]:
    """The boxes by layer."""
    above: dict[str, list[str]] = {id: [] for id in sizes}
    for link in links:
        above[link.end].append(link.start)
    order = [id for id in _order(above) if id not in first and id not in last]
    area = sum((sizes[id][0] + GAP_X) * (sizes[id][1] + GAP_Y) for id in order)
    # Boxes without edges make a block; those with edges are wrapped only where it is too wide.
    bound = max(LEAST_WIDTH, 2.2 * math.sqrt(area)) if links else 1.7 * math.sqrt(area)
    rows: list[list[str]] = [list(first)] if first else []
    used = [math.inf] * len(rows)
    level = dict.fromkeys(first, 0)
    for id in order:
        row = max((level[upper] + 1 for upper in above[id] if upper in level), default=0)
        while row < len(rows) and used[row] and used[row] + sizes[id][0] > bound:
            row += 1
        while row >= len(rows):
            rows.append([])
            used.append(0.0)
        level[id] = row
        rows[row].append(id)
        used[row] += sizes[id][0] + GAP_X
    return [*rows, list(last)] if last else rows


def _order(above: dict[str, list[str]]) -> list[str]:
    """The boxes in the order given, but each after those above it, where no ring forbids that."""
    order: dict[str, None] = {}
    begun: set[str] = set()
    stack = list(reversed(above))
    while stack:
        if stack[-1] in begun:
            order.setdefault(stack.pop())
        else:
            begun.add(stack[-1])
            stack += [upper for upper in above[stack[-1]] if upper not in begun]
    return list(order)


def _bend(grid: _Grid, links: Sequence[Link], level: Mapping[str, int]) -> list[list[str]]:
    """Put bends where long links pass a layer; links with an end in common share them."""
    leaving = Counter((link.start, link.out) for link in links)
    coming = Counter((link.end, link.into) for link in links)
    chains = []
    for link in links:
        owner = f"{link.start}\0{link.out}>"
        if leaving[link.start, link.out] < coming[link.end, link.into]:
            owner = f"{link.end}\0{link.into}<"
        chain = []
        before, out = link.start, link.out
        for row in range(level[link.start] + 1, level[link.end]):
            bend = f"{owner}{row}"
            if bend not in grid.bends:
                grid.bends.add(bend)
                grid.widths[bend] = 0.0
                grid.rows[row].append(bend)
            grid.join(before, bend, out, 0.0)
            before, out = bend, 0.0
            chain.append(bend)
        if level[link.start] < level[link.end]:
            grid.join(before, link.end, out, link.into)
        chains.append(chain)
    return chains


def _place(grid: _Grid, fixed: Mapping[str, int]) -> dict[str, float]:
    """The left side of each box."""
    places: dict[str, float] = {}
    for row in grid.rows:
        _spread(grid, row, {id: -grid.widths[id] / 2 for id in row}, places)
    for sweep in range(SWEEPS):
        downwards = sweep % 2 == 0
        near = grid.up if downwards else grid.down
        for row in grid.rows if downwards else reversed(grid.rows):
            wanted = {id: _wanted(grid, id, near.get(id, ()), places) for id in row}
            _sort(grid, row, wanted, fixed)
            _spread(grid, row, wanted, places)
    for row in grid.rows:
        wanted = {
            id: _wanted(grid, id, (*grid.up.get(id, ()), *grid.down.get(id, ())), places)
            for id in row
        }
        _spread(grid, row, wanted, places)
    leftmost = min(places.values(), default=0.0)
    return {id: x - leftmost for id, x in places.items()}


def _wanted(
    grid: _Grid, id: str, ends: Sequence[tuple[str, float, float]], places: Mapping[str, float]
) -> float:
    """Where the left side of a box is nearest to its neighbours; in the middle if it has no links."""
    total = weight = 0.0
    for other, there, here in ends:
        force = STRAIGHT if id in grid.bends and other in grid.bends else 1.0
        total += force * (places[other] + there - here)
        weight += force
    if weight:
        return total / weight
    return places[id] if id in grid.up or id in grid.down else -grid.widths[id] / 2


def _sort(
    grid: _Grid, row: list[str], wanted: Mapping[str, float], fixed: Mapping[str, int]
) -> None:
    """Order a layer by where its boxes want to be."""
    row.sort(key=lambda box: wanted[box] + grid.widths[box] / 2)
    waiting = iter(sorted((id for id in row if id in fixed), key=fixed.__getitem__))
    row[:] = [next(waiting) if id in fixed else id for id in row]


def _spread(
    grid: _Grid, row: Sequence[str], wanted: Mapping[str, float], places: dict[str, float]
) -> None:
    """Put the boxes of a layer near to where they want to be, in order and without overlaps.

    Half way between the places that leave nobody too far left and those that leave nobody too far
    right: either keeps the distances, so their mean does.
    """
    right = -math.inf
    for before, id in zip([None, *row], row, strict=False):
        right = max(wanted[id], right + grid.room(before, id) if before else right)
        places[id] = right
    left = math.inf
    for after, id in zip([None, *reversed(row)], reversed(row), strict=False):
        left = min(wanted[id], left - grid.room(id, after) if after else left)
        places[id] = (places[id] + left) / 2


def _heights(
    grid: _Grid, sizes: Mapping[str, tuple[float, float]]
) -> tuple[list[float], list[float]]:
    """The upper and lower side of each layer."""
    tops: list[float] = []
    bottoms: list[float] = []
    y = 0.0
    for index, row in enumerate(grid.rows):
        if index:
            pieces = sum(len(grid.down.get(id, ())) for id in grid.rows[index - 1])
            thin = all(not sizes.get(id, (0.0, 0.0))[1] for id in row) or not bottoms[-1]
            y += (GAP_Y * 0.55 if thin else GAP_Y) + min(36.0, 0.9 * pieces)
        tops.append(y)
        y += max((sizes[id][1] for id in row if id in sizes), default=0.0)
        bottoms.append(y)
    return tops, bottoms
