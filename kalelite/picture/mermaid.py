"""A plan as a mermaid flowchart, for Markdown pages that draw them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kalelite.picture.drawing import Frame, Node, Scene
from kalelite.picture.labels import badges, task_title

__all__ = ["draw"]

_ARROWS = {"data": "-->", "order": "-.->", "condition": "-.->", "exit": "-.->"}
_STYLES = """\
  classDef bad fill:#fdecec,stroke:#c62828,stroke-width:2px,color:#1d2733
  classDef handler stroke:#2e7d4f,stroke-width:2px"""
_LABEL = 60


def draw(scene: Scene) -> str:
    """The scene as mermaid text."""
    names = {node.id: f"t{number}" for number, node in enumerate(scene.nodes, 1)}
    names.update((frame.id, f"b{number}") for number, frame in enumerate(scene.frames, 1))
    lines = ["flowchart TD", f"  %% {_comment(scene.plan.name)}"]
    inside: dict[str, list[Frame | Node]] = {}
    items: tuple[Node | Frame, ...] = (*scene.nodes, *scene.frames)
    for item in items:
        inside.setdefault(item.parent, []).append(item)
    lines += _content("", inside, names)
    for edge in scene.edges:
        label = f'|"{_text(edge.label)}"|' if edge.label else ""
        lines.append(f"  {names[edge.source]} {_ARROWS[edge.kind]}{label} {names[edge.target]}")
    bad = [names[item.id] for item in items if item.problems]
    handlers = [names[node.id] for node in scene.nodes if node.handler]
    if bad or handlers:
        lines.append(_STYLES)
    lines += [
        f"  class {','.join(ids)} {css}"
        for ids, css in ((handlers, "handler"), (bad, "bad"))
        if ids
    ]
    for number, problem in enumerate(scene.problems, 1):
        place = f"{problem.where}: " if problem.where else ""
        lines.append(f"  %% {number}: {_comment(place + problem.message)}")
    return "\n".join(lines) + "\n"


def _content(
    parent: str, inside: dict[str, list[Frame | Node]], names: dict[str, str]
) -> Iterator[str]:
    """The lines of what stands in a frame, and in the frames inside it."""
    stack: list[tuple[Frame | Node | None, int]] = [
        (item, 1) for item in reversed(inside.get(parent, []))
    ]
    while stack:
        item, depth = stack.pop()
        indent = "  " * depth
        if item is None:
            yield f"{indent}end"
        elif isinstance(item, Node):
            yield f'{indent}{names[item.id]}["{_label(item)}"]'
        else:
            title = _text(item.title or "one of") + _numbers(item.problems)
            yield f'{indent}subgraph {names[item.id]}["{title}"]'
            # Without it mermaid turns a block that nothing leaves on its side.
            yield f"{indent}  direction TB"
            stack.append((None, depth))
            stack.extend((child, depth + 1) for child in reversed(inside.get(item.id, [])))


def _label(node: Node) -> str:
    lines = [_text(task_title(node.task)) + _numbers(node.problems)]
    names = ", ".join(output.name for output in node.task.outputs)
    if names:
        lines.append(_text(f"→ {names}"))
    chips = badges(node.task)
    if chips:
        lines.append(_text(" · ".join(chips)))
    return "<br/>".join(lines)


def _numbers(numbers: Sequence[int]) -> str:
    return "".join(f" ✗{number}" for number in numbers)


def _text(text: str) -> str:
    """Text inside quotes: every character that mermaid or HTML could obey becomes its code."""
    flat = " ".join(text.split())
    if len(flat) > _LABEL:
        flat = flat[: _LABEL - 1] + "…"
    return "".join(
        char if char.isalnum() or char in " _-.,:=/()→…·✗" else f"#{ord(char)};" for char in flat
    )


def _comment(text: str) -> str:
    """Text in a comment: on one line, and no directive."""
    flat = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(flat.replace("{", "(").replace("}", ")").split())
