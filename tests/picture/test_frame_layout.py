"""The layout: boxes never overlap, frames hold what is theirs, edges run around boxes."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kalelite.picture.frame_layout import FrameSize, lay_out


@st.composite
def graphs(draw):
    """Nodes in nested frames, and edges between any of them that run forwards."""
    depth = draw(st.integers(0, 4))
    frames = {}
    for number in range(depth):
        parent = draw(st.sampled_from(["", *frames]))
        width = draw(st.sampled_from([0.0, 150.0]))
        frames[f"f{number}"] = FrameSize(parent, width=width)
    count = draw(st.integers(1, 14))
    sizes, parents = {}, {}
    for number in range(count):
        sizes[f"n{number}"] = (float(draw(st.integers(20, 200))), float(draw(st.integers(20, 90))))
        parents[f"n{number}"] = draw(st.sampled_from(["", *frames]))
    ids = [*sizes, *frames]
    edges = draw(st.lists(st.tuples(st.sampled_from(ids), st.sampled_from(ids)), max_size=20))
    return sizes, parents, frames, list(dict.fromkeys(edge for edge in edges if edge[0] != edge[1]))


def around(id, parents, frames):
    """The frames around a node or frame."""
    id = parents[id] if id in parents else frames[id].parent
    while id:
        yield id
        id = frames[id].parent


def inside(inner, outer):
    return (
        inner.x >= outer.x - 0.01
        and inner.y >= outer.y - 0.01
        and inner.x + inner.width <= outer.x + outer.width + 0.01
        and inner.y + inner.height <= outer.y + outer.height + 0.01
    )


def apart(one, other):
    return (
        one.x + one.width <= other.x + 0.01
        or other.x + other.width <= one.x + 0.01
        or one.y + one.height <= other.y + 0.01
        or other.y + other.height <= one.y + 0.01
    )


@settings(max_examples=80, deadline=None)
@given(graphs())
def test_nothing_overlaps_and_frames_hold_what_is_theirs(graph):
    sizes, parents, frames, edges = graph
    layout = lay_out(*graph)
    for id, (width, height) in sizes.items():
        assert (layout.boxes[id].width, layout.boxes[id].height) == (width, height)
    for id in (*sizes, *frames):
        for frame in around(id, parents, frames):
            assert inside(layout.boxes[id], layout.boxes[frame])
    for one, other in combinations([*sizes, *frames], 2):
        nested = one in around(other, parents, frames) or other in around(one, parents, frames)
        assert nested or apart(layout.boxes[one], layout.boxes[other])


def upwards(route):
    heights = [y for _, begin, stop in route for y in (begin, stop)]
    return heights != sorted(heights)


@settings(max_examples=80, deadline=None)
@given(graphs())
def test_edges_begin_and_end_at_their_boxes_and_cross_no_other_task(graph):
    sizes, parents, frames, edges = graph
    layout = lay_out(*graph)
    # Only frames that wait for each other in a ring make an edge run upwards, through what it may.
    assume(not any(upwards(route) for route in layout.routes))
    for (source, target), route in zip(edges, layout.routes, strict=True):
        nested = source in around(target, parents, frames) or target in around(
            source, parents, frames
        )
        assert bool(route) is not nested
        if nested:
            continue
        start, end = layout.boxes[source], layout.boxes[target]
        assert start.x <= route[0][0] <= start.x + start.width
        assert end.x <= route[-1][0] <= end.x + end.width
        for x, begin, stop in route:
            for id in sizes:
                box = layout.boxes[id]
                if id not in (source, target) and box.x + 0.01 < x < box.x + box.width - 0.01:
                    assert (
                        max(begin, stop) <= box.y + 0.01
                        or min(begin, stop) >= box.y + box.height - 0.01
                    )


def test_edges_run_downwards():
    sizes = {name: (60.0, 30.0) for name in "abcd"}
    parents = dict.fromkeys("abcd", "")
    edges = [("a", "b"), ("b", "c"), ("a", "d"), ("d", "c"), ("a", "c")]
    boxes = lay_out(sizes, parents, {}, edges).boxes
    for source, target in edges:
        assert boxes[source].y + boxes[source].height < boxes[target].y


def test_a_diamond_is_symmetric():
    sizes = {name: (60.0, 30.0) for name in "abcd"}
    edges = [("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")]
    boxes = lay_out(sizes, dict.fromkeys("abcd", ""), {}, edges).boxes
    assert boxes["a"].x == pytest.approx(boxes["d"].x)
    assert boxes["a"].x == pytest.approx((boxes["b"].x + boxes["c"].x) / 2)


def test_a_ring_is_laid_out_too():
    sizes = {name: (60.0, 30.0) for name in "abc"}
    layout = lay_out(sizes, dict.fromkeys("abc", ""), {}, [("a", "b"), ("b", "c"), ("c", "a")])
    assert len(layout.boxes) == 3
    assert all(layout.routes)


def test_crossings_that_can_be_avoided_are():
    sizes = {name: (60.0, 30.0) for name in "abcxyz"}
    edges = [("a", "z"), ("b", "y"), ("c", "x")]
    boxes = lay_out(sizes, dict.fromkeys("abcxyz", ""), {}, edges).boxes
    assert boxes["z"].x < boxes["y"].x < boxes["x"].x


def test_the_order_of_branches_is_kept():
    sizes = {"a": (50.0, 20.0), "b": (50.0, 20.0), "x": (50.0, 20.0), "y": (50.0, 20.0)}
    parents = {"a": "", "b": "", "x": "if", "y": "else"}
    frames = {"switch": FrameSize(""), "if": FrameSize("switch"), "else": FrameSize("switch")}
    crossed = [("a", "b"), ("a", "y"), ("b", "x")]
    boxes = lay_out(sizes, parents, frames, crossed, fixed={"switch"}).boxes
    assert boxes["if"].x < boxes["else"].x


def test_nothing_to_lay_out():
    layout = lay_out({}, {}, {}, [])
    assert (layout.width, layout.height, layout.boxes) == (0.0, 0.0, {})
