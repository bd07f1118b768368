"""The layout of a graph with nested frames: sizes and edges in, places and routes out.

Each frame is laid out by itself, the innermost first, and is then one box of the frame around
it (`kalelite.picture.layers`). An edge that leaves a frame does so through a port in its lower
border, and enters another through one in the upper border, so that no edge runs across a box.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from kalelite.frozen import frozen
from kalelite.picture.layers import Arrangement, Link, Stroke, arrange

ENTRY, EXIT = "\0<", "\0>"


@frozen
class Box:
    """A rectangle; ``x`` and ``y`` are its upper left corner."""

    x: float
    y: float
    width: float
    height: float


@frozen
class FrameSize:
    """The frame that a frame stands in, and the room that it takes besides its content."""

    parent: str
    header: float = 24.0
    padding: float = 14.0
    width: float = 0.0


@frozen
class Layout:
    """Where everything is: boxes of nodes and frames, and the strokes of each edge."""

    boxes: Mapping[str, Box]
    routes: Sequence[tuple[Stroke, ...]]
    width: float
    height: float


Part = tuple[str, str, str]
"""The part of an edge in one frame: the boxes or ports it joins, and where the whole edge begins."""


_NOTHING = Arrangement({}, (), 0.0, 0.0)


@dataclass(slots=True)
class _Level:
    """The content of a frame; ``left`` and ``top`` are from the frame's corner to its content."""

    sizes: dict[str, tuple[float, float]] = field(default_factory=dict)
    parts: dict[Part, int] = field(default_factory=dict)
    done: Arrangement = _NOTHING
    left: float = 0.0
    top: float = 0.0


def lay_out(
    sizes: Mapping[str, tuple[float, float]],
    parents: Mapping[str, str],
    frames: Mapping[str, FrameSize],
    edges: Sequence[tuple[str, str]],
    fixed: Collection[str] = (),
) -> Layout:
    """Lay out a graph: width and height of each node, the frame it stands in (``""`` for none).

    Each frame comes after the one that it stands in. Edges are pairs of nodes or frames; one that
    holds the other gets no route. The content of frames in ``fixed`` stands from left to right in
    the order given, as branches do.
    """
    levels = {id: _Level() for id in ("", *frames)}
    around: dict[str, tuple[str, ...]] = {"": ("",)}  # the frames around each thing, and itself
    for id, frame in frames.items():
        around[id] = (*around[frame.parent], id)
        levels[frame.parent].sizes[id] = (0.0, 0.0)
    for id, size in sizes.items():
        around[id] = (*around[parents[id]], id)
        levels[parents[id]].sizes[id] = size
    paths = [list(_path(around[source], around[target])) for source, target in edges]
    for path in paths:
        for id, part in path:
            levels[id].parts.setdefault(part, len(levels[id].parts))
    for id in reversed(levels):
        _arrange(levels, id, fixed=id in fixed)
        if id:
            _enclose(levels, id, frames[id])
    boxes, corners = _boxes(levels)
    routes = [tuple(_route(path, levels, corners)) for path in paths]
    return Layout(boxes, routes, levels[""].done.width, levels[""].done.height)


def _path(up: tuple[str, ...], down: tuple[str, ...]) -> Iterator[tuple[str, Part]]:
    """An edge as its parts: out of the frames around its source, across, into those of its target."""
    source, target = up[-1], down[-1]
    if target in up or source in down:
        return
    shared = next(at for at, (one, other) in enumerate(zip(up, down, strict=False)) if one != other)
    for depth in range(len(up) - 2, shared - 1, -1):
        yield up[depth], (up[depth + 1], EXIT + source, source)
    yield up[shared - 1], (up[shared], down[shared], source)
    for depth in range(shared, len(down) - 1):
        yield down[depth], (ENTRY + source, down[depth + 1], source)


def _arrange(levels: Mapping[str, _Level], id: str, *, fixed: bool) -> None:
    """Lay out one frame whose inner frames are laid out."""
    level = levels[id]
    entries = dict.fromkeys(start for start, _, _ in level.parts if start.startswith(ENTRY))
    exits = dict.fromkeys(end for _, end, _ in level.parts if end.startswith(EXIT))
    links = [
        Link(
            start,
            end,
            _touch(levels, id, start, EXIT + wire),
            _touch(levels, id, end, ENTRY + wire),
        )
        for start, end, wire in level.parts
    ]
    ports = dict.fromkeys((*entries, *exits), (0.0, 0.0))
    order = list(level.sizes) if fixed else ()
    level.done = arrange({**ports, **level.sizes}, links, first=entries, last=exits, fixed=order)


def _touch(levels: Mapping[str, _Level], id: str, box: str, port: str) -> float:
    """Where an edge touches a box: at the port of a frame, or else in the middle."""
    inner = levels.get(box)
    if inner is not None and port in inner.done.corners:
        return inner.left + inner.done.corners[port][0]
    return levels[id].sizes.get(box, (0.0, 0.0))[0] / 2


def _enclose(levels: Mapping[str, _Level], id: str, frame: FrameSize) -> None:
    """Give a frame the size of its content, which is centered under a long title."""
    level = levels[id]
    width = max(level.done.width, frame.width)
    level.left, level.top = frame.padding + (width - level.done.width) / 2, frame.header
    height = level.done.height + frame.header + frame.padding
    levels[frame.parent].sizes[id] = (width + 2 * frame.padding, height)


def _boxes(
    levels: Mapping[str, _Level],
) -> tuple[dict[str, Box], dict[str, tuple[float, float]]]:
    """Every node's and frame's box, and the corner of each frame's content."""
    boxes: dict[str, Box] = {}
    corners = {"": (0.0, 0.0)}
    for id, level in levels.items():
        if id:
            corners[id] = boxes[id].x + level.left, boxes[id].y + level.top
        x, y = corners[id]
        for child, size in level.sizes.items():
            left, top = level.done.corners[child]
            boxes[child] = Box(x + left, y + top, *size)
    return boxes, corners


def _route(
    path: Sequence[tuple[str, Part]],
    levels: Mapping[str, _Level],
    corners: Mapping[str, tuple[float, float]],
) -> list[Stroke]:
    strokes: list[Stroke] = []
    for id, part in path:
        x, y = corners[id]
        for across, begin, end in levels[id].done.strokes[levels[id].parts[part]]:
            if strokes and abs(strokes[-1][0] - x - across) < 1.0:
                strokes[-1] = (strokes[-1][0], strokes[-1][1], y + end)
            else:
                strokes.append((x + across, y + begin, y + end))
    return strokes
