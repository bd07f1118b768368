"""The layout of a graph with nested frames: sizes and edges in, places and routes out.

Each frame is laid out by itself, the innermost first, and is then one box of the frame around
it (`kalelite.picture.layers`). An edge that leaves a frame does so through a port in its lower
border, and enters another through one in the upper border, so that no edge runs across a box.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from kalelite.picture.layers import Arrangement, Link, Stroke, arrange

__all__ = ["Box", "FrameSize", "Layout", "lay_out"]


ENTRY, EXIT = "\0<", "\0>"


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle; ``x`` and ``y`` are its upper left corner."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class FrameSize:
    """The frame that a frame stands in, and the room that it takes besides its content."""

    parent: str
    header: float = 24.0
    padding: float = 14.0
    width: float = 0.0


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything is: boxes of nodes and frames, and the strokes of each edge."""

    boxes: Mapping[str, Box]
    routes: Sequence[tuple[Stroke, ...]]
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class _Part:
    """The part of an edge that lies in one frame; ``wire`` is where the whole edge begins.

    ``leaves`` and ``enters`` tell that the part begins or ends at a port of a frame in here, not
    at the middle of a box.
    """

    start: str
    end: str
    wire: str
    leaves: bool = False
    enters: bool = False


@dataclass(slots=True)
class _Level:
    """The content of a frame."""

    sizes: dict[str, tuple[float, float]] = field(default_factory=dict)
    parts: dict[_Part, int] = field(default_factory=dict)
    done: Arrangement | None = None


def lay_out(
    sizes: Mapping[str, tuple[float, float]],
    parents: Mapping[str, str],
    frames: Mapping[str, FrameSize],
    edges: Sequence[tuple[str, str]],
    kept: Collection[str] = (),
) -> Layout:
    """Lay out a graph.

    Parameters
    ----------
    sizes
        Width and height of each node.
    parents
        The frame that each node stands in, ``""`` for none.
    frames
        The frames, each after the one that it stands in.
    edges
        Pairs of nodes or frames; one that holds the other gets no route.
    kept
        Frames whose content stands from left to right in the order given, as branches do.
    """
    levels = {id: _Level() for id in ("", *frames)}
    for id, frame in frames.items():
        levels[frame.parent].sizes[id] = (0.0, 0.0)
    for id, size in sizes.items():
        levels[parents[id]].sizes[id] = size
    chains = _chains(parents, frames)
    paths = [_path(source, target, chains) for source, target in edges]
    for path in paths:
        for id, part in path:
            levels[id].parts.setdefault(part, len(levels[id].parts))
    for id in reversed(list(levels)):
        _arrange(levels, id, frames, keep=id in kept)
    boxes = _boxes(levels, frames)
    routes = [tuple(_route(path, levels, boxes, frames)) for path in paths]
    outer = levels[""].done
    assert outer is not None
    return Layout(boxes, routes, outer.width, outer.height)


def _chains(
    parents: Mapping[str, str], frames: Mapping[str, FrameSize]
) -> dict[str, tuple[str, ...]]:
    """For each node and frame the frames around it, outermost first, and itself."""
    chains: dict[str, tuple[str, ...]] = {"": ("",)}
    for id, frame in frames.items():
        chains[id] = (*chains[frame.parent], id)
    for id, parent in parents.items():
        chains[id] = (*chains[parent], id)
    return chains


def _path(
    source: str, target: str, chains: Mapping[str, tuple[str, ...]]
) -> list[tuple[str, _Part]]:
    """An edge as its parts: out of the frames around its source, across, into those of its target."""
    up, down = chains[source], chains[target]
    if target in up or source in down:
        return []
    shared = 0
    while up[shared] == down[shared]:
        shared += 1
    path = [
        (up[depth], _Part(up[depth + 1], f"{EXIT}{source}", source, leaves=depth + 2 < len(up)))
        for depth in range(len(up) - 2, shared - 1, -1)
    ]
    across = _Part(
        up[shared], down[shared], source, leaves=shared + 1 < len(up), enters=shared + 1 < len(down)
    )
    path.append((up[shared - 1], across))
    path += [
        (
            down[depth],
            _Part(f"{ENTRY}{source}", down[depth + 1], source, enters=depth + 2 < len(down)),
        )
        for depth in range(shared, len(down) - 1)
    ]
    return path


def _arrange(
    levels: Mapping[str, _Level], id: str, frames: Mapping[str, FrameSize], *, keep: bool
) -> None:
    """Lay out one frame whose inner frames are laid out."""
    level = levels[id]
    for child in level.sizes:
        inner = levels[child].done if child in frames else None
        if inner is not None:
            frame = frames[child]
            width = max(inner.width, frame.width) + 2 * frame.padding
            level.sizes[child] = (width, inner.height + frame.header + frame.padding)
    entries = dict.fromkeys(part.start for part in level.parts if part.start.startswith(ENTRY))
    exits = dict.fromkeys(part.end for part in level.parts if part.end.startswith(EXIT))
    links = []
    for part in level.parts:
        out = level.sizes.get(part.start, (0.0, 0.0))[0] / 2
        into = level.sizes.get(part.end, (0.0, 0.0))[0] / 2
        if part.leaves:
            out = _port(levels, part.start, f"{EXIT}{part.wire}", frames)
        if part.enters:
            into = _port(levels, part.end, f"{ENTRY}{part.wire}", frames)
        links.append(Link(part.start, part.end, out, into))
    ports = dict.fromkeys((*entries, *exits), (0.0, 0.0))
    kept = list(level.sizes) if keep else ()
    level.done = arrange({**ports, **level.sizes}, links, first=entries, last=exits, kept=kept)


def _margin(level: _Level, frame: FrameSize) -> float:
    """From a frame's left side to its content, which is centered under a long title."""
    inner = level.done.width if level.done is not None else 0.0
    return frame.padding + max(frame.width - inner, 0.0) / 2


def _port(
    levels: Mapping[str, _Level], id: str, port: str, frames: Mapping[str, FrameSize]
) -> float:
    done = levels[id].done
    assert done is not None
    return _margin(levels[id], frames[id]) + done.corners[port][0]


def _boxes(levels: Mapping[str, _Level], frames: Mapping[str, FrameSize]) -> dict[str, Box]:
    boxes: dict[str, Box] = {}
    for id, level in levels.items():
        x, y = _origin(id, levels, boxes, frames)
        assert level.done is not None
        for child, (width, height) in level.sizes.items():
            left, top = level.done.corners[child]
            boxes[child] = Box(x + left, y + top, width, height)
    return boxes


def _origin(
    id: str,
    levels: Mapping[str, _Level],
    boxes: Mapping[str, Box],
    frames: Mapping[str, FrameSize],
) -> tuple[float, float]:
    """The upper left corner of a frame's content."""
    if not id:
        return 0.0, 0.0
    return boxes[id].x + _margin(levels[id], frames[id]), boxes[id].y + frames[id].header


def _route(
    path: Sequence[tuple[str, _Part]],
    levels: Mapping[str, _Level],
    boxes: Mapping[str, Box],
    frames: Mapping[str, FrameSize],
) -> list[Stroke]:
    strokes: list[Stroke] = []
    for id, part in path:
        x, y = _origin(id, levels, boxes, frames)
        done = levels[id].done
        assert done is not None
        for across, begin, end in done.strokes[levels[id].parts[part]]:
            if strokes and abs(strokes[-1][0] - x - across) < 1.0:
                strokes[-1] = (strokes[-1][0], strokes[-1][1], y + end)
            else:
                strokes.append((x + across, y + begin, y + end))
    return strokes
