"""What a picture of a plan shows: nodes, frames and edges, whatever it is drawn with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from kalelite.errors import Problem, Where
from kalelite.picture.labels import block_title, task_title
from kalelite.plan.graph import (
    Block,
    Branch,
    ExitScope,
    Expr,
    Loop,
    OutputRef,
    Plan,
    Switch,
    Task,
)
from kalelite.plan.order import Nesting, dependencies

__all__ = ["Edge", "Frame", "Node", "Scene", "scene", "titles", "with_siblings"]

EdgeKind = Literal["data", "order", "condition", "exit"]


@dataclass(frozen=True, slots=True)
class Node:
    """A task. ``problems`` are the numbers, from 1, of the problems found in its line.

    ``plate`` is the frame of siblings that it was put into.
    """

    task: Task
    parent: str
    handler: bool = False
    problems: tuple[int, ...] = ()
    plate: str = ""

    @property
    def id(self) -> str:
        return self.task.id


@dataclass(frozen=True, slots=True)
class Frame:
    """A block that is drawn around its tasks; an empty title is a frame without words."""

    id: str
    parent: str
    kind: Literal["branch", "switch", "loop", "exit", "group", "siblings"]
    title: str
    problems: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Edge:
    """``target`` waits for ``source``; each is a task or a block. ``label`` names the values."""

    source: str
    target: str
    kind: EdgeKind
    label: str = ""


@dataclass(frozen=True, slots=True)
class Scene:
    """All that is in a picture. Parents come before what stands in them."""

    plan: Plan
    nodes: tuple[Node, ...]
    frames: tuple[Frame, ...]
    edges: tuple[Edge, ...]
    problems: tuple[Problem, ...] = ()


def scene(plan: Plan, problems: Iterable[Problem] = ()) -> Scene:
    """The scene of a plan, which may be broken."""
    problems = tuple(problems)
    hidden = _hidden(plan)
    marks = _marks(plan, problems)
    handlers = {block.handler for block in plan.blocks if isinstance(block, ExitScope)}
    nodes = tuple(
        Node(
            task,
            _visible(task.parent, hidden),
            handler=task.id in handlers,
            problems=marks.get(task.id, ()),
        )
        for task in plan.tasks
    )
    known = {*(task.id for task in plan.tasks), *(block.id for block in plan.blocks)} - set(hidden)
    edges = tuple(
        edge
        for edge in _edges(plan, hidden)
        if edge.source in known and edge.target in known and edge.source != edge.target
    )
    return Scene(plan, nodes, tuple(_frames(plan, hidden, marks)), edges, problems)


def titles(scene: Scene) -> dict[str, str]:
    """What each task and block is called; branches together are called as their first one is."""
    found = {node.id: task_title(node.task) for node in scene.nodes}
    for frame in reversed(scene.frames):
        found[frame.id] = frame.title or found.get(frame.id, frame.id)
        found[frame.parent] = found[frame.id]
    found.update((frame.id, frame.title) for frame in scene.frames if frame.title)
    return found


def with_siblings(scene: Scene, least: int = 8) -> Scene:
    """The scene with tasks that wait for the same and are waited for by the same put together.

    Where there are many of them, one edge to all of them reads better than one to each.
    """
    before: dict[str, set[tuple[str, EdgeKind]]] = {}
    after: dict[str, set[tuple[str, EdgeKind]]] = {}
    for edge in scene.edges:
        before.setdefault(edge.target, set()).add((edge.source, edge.kind))
        after.setdefault(edge.source, set()).add((edge.target, edge.kind))
    groups: dict[Hashable, list[str]] = {}
    for node in scene.nodes:
        sources, targets = before.get(node.id, ()), after.get(node.id, ())
        groups.setdefault((node.parent, frozenset(sources), frozenset(targets)), []).append(node.id)
    plates = {
        id: f"plate:{number}"
        for number, ids in enumerate(groups.values())
        for id in ids
        if len(ids) >= least
    }
    if not plates:
        return scene
    nodes = [
        replace(node, parent=plates[node.id], plate=plates[node.id]) if node.id in plates else node
        for node in scene.nodes
    ]
    parents = {plates[node.id]: node.parent for node in scene.nodes if node.id in plates}
    frames = [Frame(id, parent, "siblings", "") for id, parent in parents.items()]
    edges: dict[tuple[str, str, EdgeKind], Edge] = {}
    for edge in scene.edges:
        source, target = plates.get(edge.source, edge.source), plates.get(edge.target, edge.target)
        bundled = (source, target) != (edge.source, edge.target)
        edges.setdefault(
            (source, target, edge.kind),
            Edge(source, target, edge.kind, "" if bundled else edge.label),
        )
    return replace(
        scene,
        nodes=tuple(nodes),
        frames=(*scene.frames, *frames),
        edges=tuple(edges.values()),
    )


def _hidden(plan: Plan) -> dict[str, str]:
    """Switches with one branch, which need no frame, and the block that each stands in."""
    branches = Counter(block.parent for block in plan.blocks if isinstance(block, Branch))
    return {
        block.id: block.parent
        for block in plan.blocks
        if isinstance(block, Switch) and branches[block.id] < 2
    }


def _visible(id: str, hidden: dict[str, str]) -> str:
    while id in hidden:
        id = hidden[id]
    return id


def _frames(
    plan: Plan, hidden: dict[str, str], marks: Mapping[str, tuple[int, ...]]
) -> Iterable[Frame]:
    seen: set[str] = set()
    for block in plan.blocks:
        if block.id in hidden:
            continue
        first = block.parent not in seen
        if isinstance(block, Branch):
            seen.add(block.parent)
        yield Frame(
            block.id,
            _visible(block.parent, hidden),
            _kind(block),
            block_title(block, first=first),
            marks.get(block.id, ()),
        )


def _kind(block: Block) -> Literal["branch", "switch", "loop", "exit", "group"]:
    if isinstance(block, Branch):
        return "branch"
    if isinstance(block, Switch):
        return "switch"
    if isinstance(block, Loop):
        return "loop"
    return "exit" if isinstance(block, ExitScope) else "group"


def _marks(plan: Plan, problems: Sequence[Problem]) -> dict[str, tuple[int, ...]]:
    """For each task and block the numbers of the problems at its place.

    A problem is that of the calls under its caret, or else of all that the line holds, or of the
    calls of the step that is defined there.
    """
    tasks = [(task.id, task.where) for task in plan.tasks if task.where]
    places = tasks + [(block.id, block.where) for block in plan.blocks if block.where]
    marks: dict[str, tuple[int, ...]] = {}
    for number, problem in enumerate(problems, 1):
        where = problem.where
        if where is None:
            continue
        line = [(id, at) for id, at in places if (at.file, at.line) == (where.file, where.line)]
        exact = [(id, at) for id, at in line if _overlap(at, where)]
        ids = [id for id, _ in exact or line] or _calls_of(plan, where)
        for id in ids:
            marks[id] = (*marks.get(id, ()), number)
    return marks


def _calls_of(plan: Plan, where: Where) -> list[str]:
    """The tasks whose step is decorated or defined in the line."""
    found = []
    for task in plan.tasks:
        defined = task.step.where
        if defined is not None and defined.file == where.file:
            code = getattr(getattr(task.step, "function", None), "__code__", None)
            first = getattr(code, "co_firstlineno", defined.line)
            if first <= where.line <= defined.line:
                found.append(task.id)
    return found


def _overlap(one: Where, other: Where) -> bool:
    if one.column is None or other.column is None:
        return False
    ends = (one.end_column or one.column + 1, other.end_column or other.column + 1)
    return one.column < ends[1] and other.column < ends[0]


def _edges(plan: Plan, hidden: dict[str, str]) -> Iterable[Edge]:
    """Each pair once, with the strongest reason to wait and the names of all values."""
    found: dict[tuple[str, str], Edge] = {}
    nesting = Nesting(plan)
    covered = set()
    for edge in (*_data_edges(plan), *_block_edges(plan, hidden), *_after_edges(plan)):
        key = edge.source, edge.target
        old = found.get(key)
        if old is None:
            found[key] = edge
            covered.add((nesting.seen_from(edge.target, edge.source), edge.target))
        elif edge.label and edge.label not in old.label.split(", "):
            label = f"{old.label}, {edge.label}" if old.label else edge.label
            found[key] = Edge(*key, old.kind, label)
    if plan.options.order == "calls":
        for target, sources in dependencies(plan).items():
            for source in sources:
                pair = _visible(source, hidden), target
                if (source, target) not in covered and pair not in found:
                    found[pair] = Edge(*pair, "order")
    return found.values()


def _after_edges(plan: Plan) -> Iterable[Edge]:
    for task in plan.tasks:
        for source in task.after:
            yield Edge(source, task.id, "order")


def _data_edges(plan: Plan) -> Iterable[Edge]:
    for task in plan.tasks:
        for argument in task.arguments.values():
            for source, label in _sources(argument):
                yield Edge(source, task.id, "data", label)


def _block_edges(plan: Plan, hidden: dict[str, str]) -> Iterable[Edge]:
    for block in plan.blocks:
        if block.id in hidden:
            continue
        if isinstance(block, Branch) and block.condition is not None:
            for source, label in _sources(block.condition):
                yield Edge(source, block.id, "condition", label)
        elif isinstance(block, Loop):
            for source, label in _sources(block.items):
                yield Edge(source, block.id, "data", label)
        elif isinstance(block, ExitScope):
            yield Edge(block.id, block.handler, "exit")


def _sources(expr: Expr) -> Iterable[tuple[str, str]]:
    """The tasks whose outcome an expression uses, and which of their outputs."""
    for part in expr.walk():
        if isinstance(part, OutputRef):
            yield part.task, part.output
