"""What a picture of a plan shows: nodes, frames and edges, whatever it is drawn with."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Literal

from kalelite.errors import Problem, Where
from kalelite.frozen import frozen
from kalelite.picture.labels import (
    badges,
    block_title,
    first_line,
    option_list,
    parameter_list,
)
from kalelite.plan.graph import (
    Block,
    Branch,
    ExitScope,
    Group,
    Loop,
    OnePod,
    Plan,
    Switch,
    Task,
)
from kalelite.plan.order import Nesting, dependencies, expressions

EdgeKind = Literal["data", "order", "condition", "exit"]
FrameKind = Literal["branch", "switch", "loop", "exit", "group", "siblings"]

_KINDS: dict[type[Block], FrameKind] = {
    Branch: "branch",
    Switch: "switch",
    Loop: "loop",
    ExitScope: "exit",
    Group: "group",
    OnePod: "group",
}


@frozen
class TaskNode:
    """A task. ``problems`` are the numbers, from 1, of the problems found in its line.

    ``outputs`` are the names of its outputs behind an arrow, empty if there are none; ``badges``
    the options that change how it runs, ``details`` all that a card has no room for.
    """

    id: str
    title: str
    parent: str
    outputs: str = ""
    badges: tuple[str, ...] = ()
    details: tuple[str, ...] = ()
    handler: bool = False
    problems: tuple[int, ...] = ()


@frozen
class BlockFrame:
    """A block that is drawn around its tasks; an empty title is a frame without one."""

    id: str
    parent: str
    kind: FrameKind
    title: str
    problems: tuple[int, ...] = ()


@frozen
class Edge:
    """``target`` waits for ``source``; each is a task or a block. ``label`` names the values."""

    source: str
    target: str
    kind: EdgeKind
    label: str = ""


@frozen
class Diagram:
    """All that is in a picture. Parents come before what stands in them.

    ``about`` are the first line of the description and the parameters.
    """

    name: str
    about: tuple[str, ...]
    nodes: tuple[TaskNode, ...]
    frames: tuple[BlockFrame, ...]
    edges: tuple[Edge, ...]
    problems: tuple[Problem, ...] = ()


def diagram_of(plan: Plan, problems: Iterable[Problem] = ()) -> Diagram:
    """The diagram of a plan, which may be broken."""
    problems = tuple(problems)
    marks = _marks(plan, problems)
    handlers = {block.handler for block in plan.blocks if isinstance(block, ExitScope)}
    # A switch with one branch needs no frame.
    branches = Counter(block.parent for block in plan.blocks if isinstance(block, Branch))
    hidden = {
        block.id: block.parent
        for block in plan.blocks
        if isinstance(block, Switch) and branches[block.id] < 2
    }
    nodes = []
    for task in plan.tasks:
        parent = hidden.get(task.parent, task.parent)
        nodes.append(_node(task, parent, handler=task.id in handlers, found=marks.get(task.id, ())))
    frames = []
    begun = set()
    for block in plan.blocks:
        if block.id not in hidden:
            title = block_title(block, first=block.parent not in begun)
            parent = hidden.get(block.parent, block.parent)
            kind = _KINDS[type(block)]
            frames.append(BlockFrame(block.id, parent, kind, title, marks.get(block.id, ())))
        if isinstance(block, Branch):
            begun.add(block.parent)
    known = {*(node.id for node in nodes), *(frame.id for frame in frames)}
    edges = tuple(
        edge
        for edge in _edges(plan, hidden)
        if edge.source in known and edge.target in known and edge.source != edge.target
    )
    about = first_line(plan.description), parameter_list(plan)
    return Diagram(plan.name, about, tuple(nodes), tuple(frames), edges, problems)


def _node(task: Task, parent: str, *, handler: bool, found: tuple[int, ...]) -> TaskNode:
    names = ", ".join(output.name for output in task.outputs if not output.optional)
    options = option_list(task.options)
    return TaskNode(
        task.id,
        task.options.display_name or task.id,
        parent,
        f"→ {names}" if names else "",
        badges(task),
        (
            first_line(task.step.description),
            *(f"{name}: {value}" for name, value in options if name != "display_name"),
            str(task.where or ""),
        ),
        handler,
        found,
    )


def titles(diagram: Diagram) -> dict[str, str]:
    """What each task and block is called; branches together are called as their first one is."""
    found = {node.id: node.title for node in diagram.nodes}
    for frame in reversed(diagram.frames):
        found[frame.id] = frame.title or found.get(frame.id, frame.id)
        found[frame.parent] = found[frame.id]
    found.update((frame.id, frame.title) for frame in diagram.frames if frame.title)
    return found


def with_siblings(diagram: Diagram, least: int = 8) -> Diagram:
    """The diagram with tasks that wait for the same and are waited for by the same put together.

    Where there are many of them, one edge to all of them reads better than one to each.
    """
    before: dict[str, set[tuple[str, EdgeKind]]] = defaultdict(set)
    after: dict[str, set[tuple[str, EdgeKind]]] = defaultdict(set)
    for edge in diagram.edges:
        before[edge.target].add((edge.source, edge.kind))
        after[edge.source].add((edge.target, edge.kind))
    groups: dict[Hashable, list[TaskNode]] = defaultdict(list)
    for node in diagram.nodes:
        key = node.parent, frozenset(before[node.id]), frozenset(after[node.id])
        groups[key].append(node)
    plates: dict[str, str] = {}
    frames = list(diagram.frames)
    for number, group in enumerate(groups.values()):
        if len(group) >= least:
            frames.append(BlockFrame(f"plate:{number}", group[0].parent, "siblings", ""))
            plates.update((node.id, frames[-1].id) for node in group)
    nodes = (replace(node, parent=plates.get(node.id, node.parent)) for node in diagram.nodes)
    edges: dict[tuple[str, str, EdgeKind], Edge] = {}
    for edge in diagram.edges:
        source, target = plates.get(edge.source, edge.source), plates.get(edge.target, edge.target)
        bundled = (source, target) != (edge.source, edge.target)
        label = "" if bundled else edge.label
        edges.setdefault((source, target, edge.kind), Edge(source, target, edge.kind, label))
    bundles = tuple(edges.values())
    return replace(diagram, nodes=tuple(nodes), frames=tuple(frames), edges=bundles)


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


def _edges(plan: Plan, hidden: Mapping[str, str]) -> Iterable[Edge]:
    """Each pair once, with the strongest reason to wait and the names of all values."""
    found: dict[tuple[str, str], Edge] = {}
    nesting = Nesting(plan)
    covered = set()
    for edge in _waits(plan):
        pair = edge.source, edge.target
        old = found.setdefault(pair, edge)
        covered.add((nesting.seen_from(edge.target, edge.source), edge.target))
        if edge.label and edge.label not in old.label.split(", "):
            label = f"{old.label}, {edge.label}" if old.label else edge.label
            found[pair] = Edge(*pair, old.kind, label)
    if plan.options.order == "calls":
        for target, sources in dependencies(plan).items():
            for source in sources:
                pair = hidden.get(source, source), target
                if (source, target) not in covered:
                    found.setdefault(pair, Edge(*pair, "order"))
    return found.values()


def _waits(plan: Plan) -> Iterable[Edge]:
    """Why tasks and blocks wait, the strongest reasons first."""
    for task in plan.tasks:
        for argument in task.arguments.values():
            yield from (Edge(ref.task, task.id, "data", ref.output) for ref in argument.outputs())
    for block in plan.blocks:
        kind: EdgeKind = "condition" if isinstance(block, Branch) else "data"
        for expr in expressions(block):
            yield from (Edge(ref.task, block.id, kind, ref.output) for ref in expr.outputs())
        if isinstance(block, ExitScope):
            yield Edge(block.id, block.handler, "exit")
    for task in plan.tasks:
        yield from (Edge(source, task.id, "order") for source in task.after)
