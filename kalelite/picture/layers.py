"""Arranges boxes in layers: each below all that it depends on, few crossings, short edges.

Layers by longest path with a bound on their width; order within a layer by barycenters; places
by least squares under the order (pooling of adjacent violators), swept down and up.
"""

from __future__ import annotations

import math
from bisect import bisect_right, insort
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import groupby, pairwise

__all__ = ["Arrangement", "Link", "arrange"]

GAP_X = 24.0
THIN_GAP = 11.0
GAP_Y = 40.0
LEAST_WIDTH = 2400.0
SWEEPS = 8
# How strongly each box of a layer is drawn to the middle of the picture, so that it stays narrow.
MIDDLE = 0.02

Stroke = tuple[float, float, float]
"""A vertical piece of an edge: its x, where it begins and where it ends."""


@dataclass(frozen=True, slots=True)
class Link:
    """An edge between two boxes; ``out`` and ``into`` are where it begins and ends, in from the left."""

    start: str
    end: str
    out: float
    into: float


@dataclass(frozen=True, slots=True)
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
    kept: Mapping[str, int] = field(default_factory=dict)
    bends: set[str] = field(default_factory=set)
    up: dict[str, list[tuple[str, float, float]]] = field(default_factory=dict)
    down: dict[str, list[tuple[str, float, float]]] = field(default_factory=dict)
    seen: set[tuple[str, str, float, float]] = field(default_factory=set)

    def join(self, upper: str, lower: str, out: float, into: float) -> None:
        """Note that a piece of a link runs from one box to one in the next layer."""
        if (upper, lower, out, into) not in self.seen:
            self.seen.add((upper, lower, out, into))
            self.down.setdefault(upper, []).append((lower, into, out))
            self.up.setdefault(lower, []).append((upper, out, into))


def arrange(
    sizes: Mapping[str, tuple[float, float]],
    links: Sequence[Link],
    *,
    first: Collection[str] = (),
    last: Collection[str] = (),
    kept: Sequence[str] = (),
) -> Arrangement:
    """Arrange boxes.

    Parameters
    ----------
    sizes
        Width and height of each box.
    links
        The edges. Those of a ring are drawn, too, against the direction of the rest.
    first, last
        Boxes that stand above and below all others.
    kept
        Boxes that stand in this order from left to right, where they stand in one layer.
    """
    rows, turned = _layers(sizes, links, first, last)
    widths = {id: size[0] for id, size in sizes.items()}
    ranks = {id: rank for rank, id in enumerate(kept)}
    grid = _Grid([list(row) for row in rows], widths, ranks)
    chains = _bend(grid, links, turned)
    _sort(grid)
    places = _place(grid)
    tops, bottoms = _heights(grid, sizes)
    corners = {id: (places[id], tops[index]) for index, row in enumerate(rows) for id in row}
    level = {id: index for index, row in enumerate(grid.rows) for id in row}
    strokes = []
    for number, (link, chain) in enumerate(zip(links, chains, strict=True)):
        upper, lower, out, into = _ends(link, number in turned)
        pieces = [
            (places[upper] + out, tops[level[upper]] + sizes[upper][1], bottoms[level[upper]]),
            *((places[bend], tops[level[bend]], bottoms[level[bend]]) for bend in chain),
            (places[lower] + into, tops[level[lower]], tops[level[lower]]),
        ]
        if number in turned:
            pieces = [(x, end, begin) for x, begin, end in reversed(pieces)]
        strokes.append(tuple(pieces))
    width = max((places[id] + grid.widths[id] for row in grid.rows for id in row), default=0.0)
    return Arrangement(corners, strokes, width, bottoms[-1] if bottoms else 0.0)


def _ends(link: Link, turned: bool) -> tuple[str, str, float, float]:
    """The upper and the lower box of a link, and where it touches them."""
    if turned:
        return link.end, link.start, link.into, link.out
    return link.start, link.end, link.out, link.into


def _layers(
    sizes: Mapping[str, tuple[float, float]],
    links: Sequence[Link],
    first: Collection[str],
    last: Collection[str],
) -> tuple[list[list[str]], set[int]]:
    """The boxes by layer, and the numbers of the links that run upwards because of a ring."""
    order = _order([id for id in sizes if id not in first and id not in last], links)
    rank = {id: index for index, id in enumerate([*first, *order, *last])}
    turned = {number for number, link in enumerate(links) if rank[link.start] > rank[link.end]}
    above: dict[str, list[str]] = {id: [] for id in sizes}
    for number, link in enumerate(links):
        upper, lower, _, _ = _ends(link, number in turned)
        above[lower].append(upper)
    area = sum((sizes[id][0] + GAP_X) * (sizes[id][1] + GAP_Y) for id in order)
    # Boxes without edges make a block; those with edges are wrapped only where it is too wide.
    bound = max(LEAST_WIDTH, 2.2 * math.sqrt(area)) if links else 1.7 * math.sqrt(area)
    base = 1 if first else 0
    rows: list[list[str]] = [list(first)] if first else []
    level: dict[str, int] = dict.fromkeys(first, 0)
    used: list[float] = [0.0] * base
    for id in order:
        row = max((level[upper] + 1 for upper in above[id]), default=base)
        row = max(row, base)
        while row < len(rows) and used[row] and used[row] + sizes[id][0] > bound:
            row += 1
        while row >= len(rows):
            rows.append([])
            used.append(0.0)
        level[id] = row
        rows[row].append(id)
        used[row] += sizes[id][0] + GAP_X
    return [*rows, list(last)] if last else rows, turned


def _order(ids: Sequence[str], links: Sequence[Link]) -> list[str]:
    """The boxes so that links run forwards; where a ring forbids it, the first box goes ahead."""
    known = set(ids)
    waits: dict[str, set[str]] = {id: set() for id in ids}
    followers: dict[str, list[str]] = {id: [] for id in ids}
    for link in links:
        if link.start in known and link.end in known and link.start != link.end:
            waits[link.end].add(link.start)
            followers[link.start].append(link.end)
    rank = {id: index for index, id in enumerate(ids)}
    ready = [rank[id] for id in ids if not waits[id]]
    left = dict.fromkeys(ids)
    order: list[str] = []
    while left:
        id = ids[heappop(ready)] if ready else next(iter(left))
        if id not in left:
            continue
        order.append(id)
        del left[id]
        for follower in followers[id]:
            waits[follower].discard(id)
            if not waits[follower] and follower in left:
                heappush(ready, rank[follower])
    return order


def _bend(grid: _Grid, links: Sequence[Link], turned: set[int]) -> list[list[str]]:
    """Put bends where long links pass a layer; links with an end in common share them."""
    level = {id: index for index, row in enumerate(grid.rows) for id in row}
    leaving: dict[tuple[str, float], int] = {}
    coming: dict[tuple[str, float], int] = {}
    for number, link in enumerate(links):
        upper, lower, out, into = _ends(link, number in turned)
        leaving[upper, out] = leaving.get((upper, out), 0) + 1
        coming[lower, into] = coming.get((lower, into), 0) + 1
    chains = []
    for number, link in enumerate(links):
        upper, lower, out, into = _ends(link, number in turned)
        fans_out = leaving[upper, out] >= coming[lower, into]
        owner = f"{upper}\0{out}>" if fans_out else f"{lower}\0{into}<"
        chain = []
        before, offset = upper, out
        for row in range(level[upper] + 1, level[lower]):
            bend = f"{owner}{row}"
            if bend not in grid.bends:
                grid.bends.add(bend)
                grid.widths[bend] = 0.0
                grid.rows[row].append(bend)
            grid.join(before, bend, offset, 0.0)
            before, offset = bend, 0.0
            chain.append(bend)
        if level[upper] < level[lower]:
            grid.join(before, lower, offset, into)
        chains.append(chain)
    return chains


def _sort(grid: _Grid) -> None:
    """Order each layer by where its neighbours are, and keep the order with the fewest crossings."""
    edges = len(grid.seen)
    sweeps = SWEEPS if edges < 3000 else 2
    best, fewest = [list(row) for row in grid.rows], _crossings(grid)
    for sweep in range(sweeps):
        if not fewest:
            break
        downwards = sweep % 2 == 0
        rows = grid.rows if downwards else grid.rows[::-1]
        near = grid.up if downwards else grid.down
        for fixed, row in pairwise(rows):
            where = {id: float(index) for index, id in enumerate(fixed)}
            weight = {
                id: _middle(
                    [where[other] + _share(grid, other, out) for other, out, _ in near.get(id, ())],
                    default=index * len(fixed) / max(len(row), 1),
                )
                for index, id in enumerate(row)
            }
            row[:] = _in_order(_by_weight(row, weight, grid.bends), grid.kept)
        crossings = _crossings(grid)
        if crossings < fewest:
            best, fewest = [list(row) for row in grid.rows], crossings
    grid.rows = best


def _by_weight(
    row: Sequence[str], weight: Mapping[str, float], bends: Collection[str]
) -> list[str]:
    """Sorted by weight; among equals the bends come to stand in the middle of the boxes.

    A link that passes a row of its siblings so runs straight through their midst.
    """
    result: list[str] = []
    for _, group in groupby(sorted(row, key=weight.__getitem__), key=weight.__getitem__):
        ids = list(group)
        boxes = [id for id in ids if id not in bends]
        half = len(boxes) // 2
        result += [*boxes[:half], *(id for id in ids if id in bends), *boxes[half:]]
    return result


def _in_order(row: list[str], kept: Mapping[str, int]) -> list[str]:
    """The row with the boxes of a given order in that order, at the places that they take."""
    if not kept:
        return row
    waiting = iter(sorted((id for id in row if id in kept), key=kept.__getitem__))
    return [next(waiting) if id in kept else id for id in row]


def _share(grid: _Grid, id: str, offset: float) -> float:
    """Where on a box an edge touches it, from -0.5 to 0.5."""
    width = grid.widths[id]
    return offset / width - 0.5 if width else 0.0


def _middle(values: Sequence[float], default: float) -> float:
    return sum(values) / len(values) if values else default


def _crossings(grid: _Grid) -> int:
    """How often pieces of links cross between neighbouring layers."""
    count = 0
    for upper, lower in pairwise(grid.rows):
        where = {id: index for index, id in enumerate(lower)}
        ends: list[float] = []
        for id in upper:
            pieces = sorted(
                (out, where[other] + _share(grid, other, into) / 2)
                for other, into, out in grid.down.get(id, ())
                if other in where
            )
            for _, end in pieces:
                count += len(ends) - bisect_right(ends, end)
            for _, end in pieces:
                insort(ends, end)
    return count


def _place(grid: _Grid) -> dict[str, float]:
    """The left side of each box."""
    places: dict[str, float] = {}
    for row in grid.rows:
        x = -sum(grid.widths[id] + GAP_X for id in row) / 2
        for left, id in zip([None, *row], row, strict=False):
            x += _room(grid, left, id) if left else 0.0
            places[id] = x
    rows = [row for row in grid.rows if row]
    rounds = 6 if len(places) < 3000 else 2
    for _ in range(rounds):
        for row in rows:
            _settle(grid, row, places, (grid.up,))
        for row in reversed(rows):
            _settle(grid, row, places, (grid.down,))
    for row in rows:
        _settle(grid, row, places, (grid.up, grid.down))
    leftmost = min(places.values(), default=0.0)
    return {id: x - leftmost for id, x in places.items()}


def _room(grid: _Grid, left: str, right: str) -> float:
    """The least distance of the left sides of two neighbours."""
    thin = not grid.widths[left] or not grid.widths[right]
    return grid.widths[left] + (THIN_GAP if thin else GAP_X)


def _settle(
    grid: _Grid,
    row: Sequence[str],
    places: dict[str, float],
    sides: Sequence[Mapping[str, Sequence[tuple[str, float, float]]]],
) -> None:
    """Move the boxes of a layer as near to their neighbours as their order and room allow."""
    wanted, weights, shift = [], [], 0.0
    length = sum(_room(grid, left, id) for left, id in pairwise(row)) + grid.widths[row[-1]]
    for left, id in zip([None, *row], row, strict=False):
        shift += _room(grid, left, id) if left else 0.0
        pulls = [
            (places[other] + out - own, 4.0 if id in grid.bends and other in grid.bends else 1.0)
            for side in sides
            for other, out, own in side.get(id, ())
        ]
        pulls.append((shift - length / 2, 0.05 + MIDDLE * len(row)))
        weight = sum(force for _, force in pulls)
        wanted.append(sum(x * force for x, force in pulls) / weight - shift)
        weights.append(weight)
    shift = 0.0
    for left, id, x in zip([None, *row], row, _pooled(wanted, weights), strict=False):
        shift += _room(grid, left, id) if left else 0.0
        places[id] = x + shift


def _pooled(values: Sequence[float], weights: Sequence[float]) -> Iterator[float]:
    """The rising sequence that is nearest to the values by weighted least squares."""
    pools: list[tuple[float, float, int]] = []
    for value, weight in zip(values, weights, strict=True):
        mean, total, count = value, weight, 1
        while pools and pools[-1][0] >= mean:
            before, more, others = pools.pop()
            mean = (mean * total + before * more) / (total + more)
            total, count = total + more, count + others
        pools.append((mean, total, count))
    for mean, _, count in pools:
        for _ in range(count):
            yield mean


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
