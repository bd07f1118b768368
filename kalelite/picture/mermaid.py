"""A plan as a mermaid flowchart, for Markdown pages that draw them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kalelite.errors import Problem
from kalelite.picture.diagram import BlockFrame, TaskNode, diagram_of
from kalelite.picture.labels import clip, marks, problem_text
from kalelite.plan.graph import Plan

_ARROWS = {"data": "-->", "order": "-.->", "condition": "-.->", "exit": "-.->"}
_STYLES = """\
  classDef bad fill:#fdecec,stroke:#c62828,stroke-width:2px,color:#1d2733
  classDef handler stroke:#2e7d4f,stroke-width:2px"""
_LABEL = 60


def to_mermaid(plan: Plan, problems: Iterable[Problem] = ()) -> str:
    """The plan as a mermaid flowchart."""
    diagram = diagram_of(plan, problems)
    names = {node.id: f"t{number}" for number, node in enumerate(diagram.nodes, 1)}
    names.update((frame.id, f"b{number}") for number, frame in enumerate(diagram.frames, 1))
    lines = ["flowchart TD", f"  %% {_comment(plan.name)}"]
    inside: dict[str, list[BlockFrame | TaskNode]] = {}
    items: tuple[TaskNode | BlockFrame, ...] = (*diagram.nodes, *diagram.frames)
    for item in items:
        inside.setdefault(item.parent, []).append(item)
    lines += _content("", inside, names, "  ")
    for edge in diagram.edges:
        label = f'|"{_text(edge.label)}"|' if edge.label else ""
        lines.append(f"  {names[edge.source]} {_ARROWS[edge.kind]}{label} {names[edge.target]}")
    bad = [names[item.id] for item in items if item.problems]
    handlers = [names[node.id] for node in diagram.nodes if node.handler]
    if bad or handlers:
        lines.append(_STYLES)
    classes = ("handler", handlers), ("bad", bad)
    lines += [f"  class {','.join(ids)} {css}" for css, ids in classes if ids]
    for number, problem in enumerate(diagram.problems, 1):
        lines.append(f"  %% {number}: {_comment(problem_text(problem))}")
    return "\n".join(lines) + "\n"


def _content(
    parent: str, inside: dict[str, list[BlockFrame | TaskNode]], names: dict[str, str], indent: str
) -> Iterator[str]:
    """The lines of what stands in a frame, and in the frames inside it."""
    for item in inside.get(parent, ()):
        if isinstance(item, TaskNode):
            yield f'{indent}{names[item.id]}["{_label(item)}"]'
        else:
            title = _text(item.title or "one of") + marks(item.problems)
            yield f'{indent}subgraph {names[item.id]}["{title}"]'
            # Without it mermaid turns a block that nothing leaves on its side.
            yield f"{indent}  direction TB"
            yield from _content(item.id, inside, names, indent + "  ")
            yield f"{indent}end"


def _label(node: TaskNode) -> str:
    lines = [_text(node.title) + marks(node.problems), _text(node.outputs)]
    lines.append(_text(" · ".join(node.badges)))
    return "<br/>".join(line for line in lines if line)


def _text(text: str) -> str:
    """Text inside quotes: every character that mermaid or HTML could obey becomes its code."""
    flat = clip(" ".join(text.split()), _LABEL)
    return "".join(
        char if char.isalnum() or char in " _-.,:=/()→…·✗" else f"#{ord(char)};" for char in flat
    )


def _comment(text: str) -> str:
    """Text in a comment: on one line, and no directive."""
    flat = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(flat.replace("{", "(").replace("}", ")").split())
