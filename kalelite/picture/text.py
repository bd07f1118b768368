"""A plan as text for a terminal: a tree of blocks, with what each task takes and gives."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from textwrap import wrap

from kalelite.errors import Problem
from kalelite.humanize import count
from kalelite.picture.diagram import BlockFrame, Diagram, TaskNode, diagram_of, titles
from kalelite.picture.labels import (
    clip,
    first_line,
    marks,
    parameter_list,
    problem_text,
)
from kalelite.plan.graph import ExitScope, Plan

LEAST_WIDTH = 40
MOST_NAME = 36

Item = TaskNode | BlockFrame


def to_text(plan: Plan, problems: Iterable[Problem] = (), *, width: int = 100) -> str:
    """The plan as a tree of lines of at most ``width`` columns (and no fewer than 40)."""
    diagram = diagram_of(plan, problems)
    width = max(width, LEAST_WIDTH)
    lines = [*_head(plan, width), *_tree(plan, diagram, width)]
    for number, problem in enumerate(diagram.problems, 1):
        lines += _problem(number, problem, width)
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _head(plan: Plan, width: int) -> Iterator[str]:
    yield clip(f"{_flat(plan.name)}  ({count(len(plan.tasks), 'step')})", width, cells)
    for text in (first_line(plan.description), parameter_list(plan, ",  ")):
        yield from (f"  {line}" for line in wrap(_flat(text), width - 2))


def _tree(plan: Plan, diagram: Diagram, width: int) -> Iterator[str]:
    """One line for each task and block, in the order of the body."""
    items: dict[str, Item] = {node.id: node for node in diagram.nodes}
    items.update((frame.id, frame) for frame in diagram.frames if frame.title)
    parents = {frame.id: frame.parent for frame in diagram.frames}
    parents.update((node.id, node.parent) for node in diagram.nodes)
    children: dict[str, list[str]] = {}
    for id in _in_order(plan, diagram, parents):
        if id in items:
            parent = parents[id]
            while parent and parent not in items:
                parent = parents[parent]
            children.setdefault(parent, []).append(id)
    takes = _takes(plan, diagram)
    rows = [(rail, below, items[id]) for rail, below, id in _rails("", "", children)]
    names = [cells(rail + _name(item)) for rail, _, item in rows if isinstance(item, TaskNode)]
    column = min(max(names, default=0), MOST_NAME, width // 2) + 2
    for rail, below, item in rows:
        name = rail + clip(_name(item), max(width - cells(rail), 8), cells)
        details = ""
        if isinstance(item, TaskNode):
            details = _details(item, takes.get(item.id, ""))
        yield from _row(name, below, details, column, width)


def _in_order(plan: Plan, diagram: Diagram, parents: Mapping[str, str]) -> Iterable[str]:
    """All tasks and blocks; a block comes where its first task does, one without any last."""
    placed: dict[str, None] = {}
    for node in diagram.nodes:
        placed.update(dict.fromkeys((*reversed(list(_around(node.id, parents))), node.id)))
    order = list(dict.fromkeys((*placed, *parents)))
    for block in plan.blocks:
        if isinstance(block, ExitScope) and block.handler in placed and block.id in parents:
            # A handler is called before the block that it ends, and runs after it.
            order.remove(block.handler)
            inside = [id for id in order if block.id in (id, *_around(id, parents))]
            order.insert(order.index(inside[-1]) + 1, block.handler)
    return order


def _around(id: str, parents: Mapping[str, str]) -> Iterator[str]:
    """The blocks around a task or block, innermost first."""
    while id := parents[id]:
        yield id


def _rails(
    parent: str, rail: str, children: Mapping[str, Sequence[str]]
) -> Iterator[tuple[str, str, str]]:
    """For each line its rail, the rail of a line below it, and the id of what it shows."""
    inside = children.get(parent, ())
    for id in inside:
        is_last = id == inside[-1]
        inner = rail + ("   " if is_last else "│  ")
        below = inner + ("│  " if id in children else "   ")
        yield rail + ("└─ " if is_last else "├─ "), below, id
        yield from _rails(id, inner, children)


def _takes(plan: Plan, diagram: Diagram) -> dict[str, str]:
    """For each task, what it waits for."""
    names = titles(diagram)
    scopes = {b.handler: b.id for b in plan.blocks if isinstance(b, ExitScope)}
    found: dict[str, dict[str, None]] = {}
    for edge in diagram.edges:
        name = names[edge.source]
        if scopes.get(edge.target) == edge.source:
            texts = ["at the end of the block, whatever happened"]
        elif edge.kind == "order":
            texts = [f"after {name}"]
        else:
            texts = [f"{name}.{output}" for output in edge.label.split(", ") if output] or [name]
        found.setdefault(edge.target, {}).update(dict.fromkeys(texts))
    return {id: ", ".join(texts) for id, texts in found.items()}


def _details(node: TaskNode, takes: str) -> str:
    options = " ".join(f"[{badge}]" for badge in node.badges)
    parts = (f"← {takes}" if takes else "", node.outputs, options)
    return "  ".join(_flat(part) for part in parts if part)


def _row(name: str, below: str, details: str, column: int, width: int) -> Iterator[str]:
    """A line of the tree; details that do not fit go below it."""
    start = max(column, cells(name) + 2)
    if not details:
        yield name
    elif start + cells(details) <= width or width - start >= 30:
        lines = wrap(details, max(width - start, 12), break_long_words=True) or [""]
        yield _pad(name, start) + lines[0]
        yield from (_pad(below, start) + line for line in lines[1:])
    else:
        yield name
        yield from (f"{below} {line}" for line in wrap(details, max(width - cells(below) - 1, 12)))


def _name(item: Item) -> str:
    return _flat(item.title) + marks(item.problems)


def _problem(number: int, problem: Problem, width: int) -> Iterator[str]:
    yield ""
    lines = wrap(_flat(f"✗{number} {problem_text(problem)}"), width)
    lines += wrap(_flat(problem.hint), width - 4)
    yield lines[0]
    yield from (f"    {line}" if cells(line) <= width - 4 else line for line in lines[1:])


def _flat(text: str) -> str:
    """Text on one line, without characters that a terminal would obey."""
    flat = " ".join(text.split())
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in flat)


def cells(text: str) -> int:
    """How many columns a terminal needs for a text."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )


def _pad(text: str, width: int) -> str:
    return text + " " * (width - cells(text))
