"""A plan as text for a terminal: a tree of blocks, with what each task takes and gives."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from textwrap import wrap

from kalelite.errors import Problem
from kalelite.picture.drawing import Frame, Node, Scene, titles
from kalelite.picture.labels import badges, parameter_text, task_title
from kalelite.plan.graph import ExitScope

__all__ = ["draw"]

LEAST_WIDTH = 40
MOST_NAME = 36


def draw(scene: Scene, width: int = 100) -> str:
    """The scene in lines of at most ``width`` columns (and no fewer than 40)."""
    width = max(width, LEAST_WIDTH)
    lines = [*_head(scene, width), *_tree(scene, width)]
    for number, problem in enumerate(scene.problems, 1):
        lines += _problem(number, problem, width)
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _head(scene: Scene, width: int) -> Iterator[str]:
    plan = scene.plan
    count = len(plan.tasks)
    yield clip(f"{_flat(plan.name)}  ({count} {'step' if count == 1 else 'steps'})", width)
    words = [parameter_text(parameter) for parameter in plan.parameters]
    for text in (plan.description.strip().partition("\n")[0], ",  ".join(words)):
        yield from (f"  {line}" for line in wrap(_flat(text), width - 2))


def _tree(scene: Scene, width: int) -> Iterator[str]:
    """One line for each task and block, in the order of the body."""
    items: dict[str, Node | Frame] = {node.id: node for node in scene.nodes}
    items.update(
        (frame.id, frame) for frame in scene.frames if frame.title or frame.kind != "switch"
    )
    parents = {frame.id: frame.parent for frame in scene.frames}
    children: dict[str, list[str]] = {"": []}
    for id in _placed(scene, parents):
        if id in items:
            parent = items[id].parent
            while parent and parent not in items:
                parent = parents.get(parent, "")
            children.setdefault(parent, []).append(id)
    takes = _takes(scene)
    rows = list(_walk(items, children))
    names = [cells(rail) + cells(_name(item)) for rail, _, item in rows if isinstance(item, Node)]
    column = min(max(names, default=0), MOST_NAME, width // 2) + 2
    for rail, below, item in rows:
        if isinstance(item, Frame):
            marks = _marks(item.problems)
            yield rail + clip(_flat(item.title) + marks, max(width - cells(rail), 8))
        else:
            yield from _task(rail, below, item, takes.get(item.id, ""), column, width)


def _placed(scene: Scene, parents: Mapping[str, str]) -> Iterable[str]:
    """All tasks and blocks; a block comes where its first task does, one without any last."""
    placed: dict[str, None] = {}
    for node in scene.nodes:
        outer: list[str] = []
        parent = node.parent
        while parent and parent not in placed:
            outer.append(parent)
            parent = parents[parent]
        placed.update(dict.fromkeys((*reversed(outer), node.id)))
    around = {**parents, **{node.id: node.parent for node in scene.nodes}}
    order = list(dict.fromkeys((*placed, *parents)))
    for block in scene.plan.blocks:
        if isinstance(block, ExitScope) and block.handler in placed and block.id in parents:
            # A handler is called before the block that it ends, and runs after it.
            order.remove(block.handler)
            last = max(at for at, id in enumerate(order) if _is_in(id, block.id, around))
            order.insert(last + 1, block.handler)
    return order


def _is_in(id: str, block: str, around: Mapping[str, str]) -> bool:
    """Whether something is a block or stands in it."""
    while id and id != block:
        id = around[id]
    return id == block


def _walk(
    items: Mapping[str, Node | Frame], children: Mapping[str, Sequence[str]]
) -> Iterator[tuple[str, str, Node | Frame]]:
    """Each line's rail, the rail of a line below it, and what it shows."""
    stack = [("", id, index == len(children[""]) - 1) for index, id in enumerate(children[""])]
    stack.reverse()
    while stack:
        rail, id, last = stack.pop()
        inner = rail + ("   " if last else "│  ")
        own = children.get(id, ())
        yield rail + ("└─ " if last else "├─ "), inner + ("│  " if own else "   "), items[id]
        stack.extend(
            (inner, child, index == len(own) - 1) for index, child in reversed(list(enumerate(own)))
        )


def _takes(scene: Scene) -> dict[str, str]:
    """For each task, the tasks that it waits for, in words."""
    names_of = titles(scene)
    scopes = {b.handler: b.id for b in scene.plan.blocks if isinstance(b, ExitScope)}
    found: dict[str, list[str]] = {}
    for edge in scene.edges:
        if scopes.get(edge.target) == edge.source:
            words = "at the end of the block, whatever happened"
        elif edge.kind == "order":
            words = f"after {names_of[edge.source]}"
        else:
            names = edge.label.split(", ") if edge.label else []
            words = ", ".join(f"{names_of[edge.source]}.{name}" for name in names)
            words = words or names_of[edge.source]
        found.setdefault(edge.target, []).append(words)
    return {id: ", ".join(dict.fromkeys(words)) for id, words in found.items()}


def _task(rail: str, below: str, node: Node, takes: str, column: int, width: int) -> Iterator[str]:
    """A task's line; what does not fit goes below it."""
    names = [output.name for output in node.task.outputs]
    gives = "→ " + ", ".join(names) if names else ""
    parts = [
        f"← {takes}" if takes else "",
        gives,
        " ".join(f"[{badge}]" for badge in badges(node.task)),
    ]
    name = rail + clip(_name(node), max(width - cells(rail), 8))
    details = "  ".join(_flat(part) for part in parts if part)
    if not details:
        yield name
        return
    start = max(column, cells(name) + 2)
    if start + cells(details) <= width or width - start >= 30:
        lines = wrap(details, max(width - start, 12), break_long_words=True) or [""]
        yield pad(name, start) + lines[0]
        yield from (pad(below, start) + line for line in lines[1:])
        return
    yield name
    yield from (f"{below} {line}" for line in wrap(details, max(width - cells(below) - 1, 12)))


def _name(node: Node) -> str:
    return _flat(task_title(node.task)) + _marks(node.problems)


def _marks(numbers: Sequence[int]) -> str:
    return "".join(f"  ✗{number}" for number in numbers)


def _problem(number: int, problem: Problem, width: int) -> Iterator[str]:
    yield ""
    place = f"{problem.where}: " if problem.where else ""
    lines = wrap(_flat(f"✗{number} {place}{problem.message}"), width)
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


def pad(text: str, width: int) -> str:
    return text + " " * (width - cells(text))


def clip(text: str, width: int) -> str:
    if cells(text) <= width:
        return text
    while text and cells(text) > width - 1:
        text = text[:-1]
    return text + "…"
