"""A plan as an SVG: tasks in layers, blocks as frames, options as badges, problems in red."""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from kalelite.errors import Problem
from kalelite.picture.drawing import Edge, Frame, Node, Scene, with_siblings
from kalelite.picture.labels import badges, option_list, parameter_text, task_title
from kalelite.picture.layers import Stroke
from kalelite.picture.layout import Box, FrameSize, Layout, lay_out

__all__ = ["STYLE", "draw", "drawing", "escape", "size_of"]

MARGIN = 20.0
LINE = 16.0
_NARROW, _WIDE = set("iljtfr.,:;'|!()[]{} "), set("mwMW@%")

STYLE = """\
.kp{font:13px system-ui,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;color-scheme:light dark;\
--ink:#1d2733;--soft:#5b6875;--paper:#fff;--task:#fff;--line:#8c99a6;--rim:#9fb0c0;\
--frame:#f3f6f9;--accent:#2563a8;--loop:#7c4dbd;--cond:#b0710a;--exit:#2e7d4f;--bad:#c62828;--badfill:#fdecec;--chip:#e8eef4}
@media(prefers-color-scheme:dark){.kp{--ink:#e5eaf0;--soft:#9fb0c0;--paper:#14191f;--task:#1f2730;--line:#6f7f8f;\
--rim:#55677a;--frame:#1a2129;--accent:#7ab3ef;--loop:#bb9af0;--cond:#e0ae5c;--exit:#74c596;--bad:#ff7b72;--badfill:#3a1d1f;--chip:#2c3742}}
.kp text{fill:var(--ink)}
.kp .paper{fill:var(--paper)}
.kp .title{font-size:16px;font-weight:650}
.kp .soft,.kp .out{fill:var(--soft);font-size:11.5px}
.kp .card{fill:var(--task);stroke:var(--rim);stroke-width:1.2}
.kp .task .name{font-weight:600}
.kp .handler .card{stroke:var(--exit)}
.kp .chip{fill:var(--chip)}
.kp .badge{font-size:10.5px}
.kp .frame>rect{fill:var(--frame);stroke:var(--rim);stroke-width:1}
.kp .frame text{font-size:12px;fill:var(--soft);font-weight:600}
.kp .frame .plate{fill:var(--frame);stroke:none}
.kp .siblings>rect{fill:none;stroke:var(--line);stroke-dasharray:1 3}
.kp .switch>rect{fill:none;stroke-dasharray:2 4}
.kp .loop>rect{stroke:var(--loop)}.kp .loop text{fill:var(--loop)}
.kp .branch>rect{stroke:var(--cond)}.kp .branch text{fill:var(--cond)}
.kp .exit>rect{stroke:var(--exit);stroke-dasharray:6 4}.kp .exit text{fill:var(--exit)}
.kp .edge{fill:none;stroke:var(--line);stroke-width:1.3}
.kp .order{stroke-dasharray:2 4}
.kp .edge.condition{stroke:var(--cond);stroke-dasharray:5 3}
.kp .edge.exit{stroke:var(--exit);stroke-dasharray:6 4}
.kp .tip{fill:var(--line)}.kp .tip.condition{fill:var(--cond)}.kp .tip.exit{fill:var(--exit)}
.kp .bad .card,.kp .frame.bad>.rim{fill:var(--badfill);stroke:var(--bad);stroke-width:2}
.kp .mark{fill:var(--bad)}.kp text.number{fill:#fff;font-size:11px;font-weight:700}
.kp text.problem{fill:var(--bad);font-size:12.5px}
"""


def size_of(text: str, size: float = 13.0, *, bold: bool = False) -> float:
    """About how wide a text is in a common sans-serif font, rather too much than too little."""
    total = 0.0
    for char in text:
        if char in _NARROW:
            total += 0.36
        elif char in _WIDE or unicodedata.east_asian_width(char) in "WF":
            total += 1.0
        elif char.isupper():
            total += 0.72
        elif unicodedata.combining(char):
            continue
        else:
            total += 0.58
    return total * size * (1.1 if bold else 1.0)


def escape(text: str) -> str:
    """Text for XML and HTML; characters that neither may hold are replaced."""
    kept = (
        char if char.isprintable() or char == "\n" else "\N{REPLACEMENT CHARACTER}" for char in text
    )
    return html.escape("".join(kept))


def clip(text: str, width: float, size: float = 13.0) -> str:
    """The text, cut with an ellipsis where it would be wider."""
    if size_of(text, size) <= width:
        return text
    while text and size_of(text + "…", size) > width:
        text = text[:-1]
    return text + "…"


@dataclass(frozen=True, slots=True)
class _Card:
    """A task's box, ready to be written."""

    node: Node
    title: str
    outputs: str
    chips: tuple[str, ...]
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Drawing:
    """A picture's inside and its size."""

    body: str
    width: float
    height: float


def draw(scene: Scene, *, header: bool = True) -> str:
    """The scene as a whole SVG document."""
    picture = drawing(scene, header=header)
    name = escape(scene.plan.name)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="kp" role="img" aria-label="pipeline {name}" '
        f'viewBox="0 0 {picture.width:.0f} {picture.height:.0f}" '
        f'width="{picture.width:.0f}" height="{picture.height:.0f}">\n'
        f"<title>{name}</title>\n<style>{STYLE}</style>\n"
        f'<rect class="paper" width="100%" height="100%"/>\n{picture.body}</svg>\n'
    )


def drawing(scene: Scene, *, header: bool = True) -> Drawing:
    """The scene without the outermost element; ``header`` writes the name and the parameters."""
    scene = with_siblings(scene)
    cards = {node.id: _card(node) for node in scene.nodes}
    layout = _layout(scene, cards)
    heads = _header(scene) if header else []
    lines = _problem_lines(scene.problems) if header else []
    top = MARGIN + sum(height for _, _, height, _ in heads)
    width = max(
        [layout.width, *(size for _, _, _, size in heads), *(size_of(line) for line in lines)]
    )
    shift = MARGIN + (width - layout.width) / 2 if scene.nodes else MARGIN
    parts = [f'<g transform="translate({shift:.1f} {top:.1f})">']
    parts += (_frame(frame, layout.boxes[frame.id]) for frame in scene.frames)
    parts += (
        _edge(edge, route) for edge, route in zip(scene.edges, layout.routes, strict=True) if route
    )
    parts += (_frame_title(frame, layout.boxes[frame.id]) for frame in scene.frames)
    parts += (_task(card, layout.boxes[card.node.id]) for card in cards.values())
    parts.append("</g>")
    y = MARGIN
    for css, text, height, _ in heads:
        parts.append(f'<text class="{css}" x="{MARGIN:.0f}" y="{y + 14:.1f}">{escape(text)}</text>')
        y += height
    y = top + layout.height + MARGIN
    for line in lines:
        parts.append(
            f'<text class="problem" x="{MARGIN:.0f}" y="{y + 12:.1f}" xml:space="preserve">{escape(line)}</text>'
        )
        y += 18
    return Drawing("\n".join(parts) + "\n", width + 2 * MARGIN, y + (MARGIN if lines else 0))


def _layout(scene: Scene, cards: dict[str, _Card]) -> Layout:
    frames = {
        frame.id: FrameSize(
            frame.parent,
            header=26.0 if frame.title else 12.0,
            width=size_of(_frame_words(frame), 12.0, bold=True) + 6,
        )
        for frame in scene.frames
    }
    return lay_out(
        {id: (card.width, card.height) for id, card in cards.items()},
        {node.id: node.parent for node in scene.nodes},
        frames,
        [(edge.source, edge.target) for edge in scene.edges],
        fixed={frame.id for frame in scene.frames if frame.kind == "switch"},
    )


def _card(node: Node) -> _Card:
    title = clip(task_title(node.task), 230.0)
    names = [output.name for output in node.task.outputs]
    outputs = clip("→ " + ", ".join(names), 230.0, 11.5) if names else ""
    chips = tuple(clip(badge, 150.0, 10.5) for badge in badges(node.task))
    chip_width = sum(_chip_width(chip) for chip in chips)
    width = max(size_of(title, bold=True), size_of(outputs, 11.5), chip_width - 4, 64.0) + 24
    height = 34.0 + (14.0 if outputs else 0.0) + (20.0 if chips else 0.0)
    return _Card(node, title, outputs, chips, width, height)


def _chip_width(chip: str) -> float:
    return size_of(chip, 10.5) + 14


def _task(card: _Card, box: Box) -> str:
    node = card.node
    css = "task" + (" handler" if node.handler else "") + (" bad" if node.problems else "")
    middle = box.width / 2
    parts = [
        f'<g class="{css}" data-id="{escape(node.id)}" data-plate="{escape(node.plate)}" transform="{_at(box)}">',
        f"<title>{escape(_details(node))}</title>",
        f'<rect class="card" width="{box.width:.1f}" height="{box.height:.1f}" rx="7"/>',
        f'<text class="name" x="{middle:.1f}" y="21" text-anchor="middle">{escape(card.title)}</text>',
    ]
    y = 21.0
    if card.outputs:
        y += 15
        parts.append(
            f'<text class="out" x="{middle:.1f}" y="{y:.0f}" text-anchor="middle">{escape(card.outputs)}</text>'
        )
    if card.chips:
        x = middle - (sum(map(_chip_width, card.chips)) - 4) / 2
        for chip in card.chips:
            width = _chip_width(chip) - 4
            parts.append(
                f'<rect class="chip" x="{x:.1f}" y="{y + 7:.0f}" width="{width:.1f}" height="15" rx="7"/>'
                f'<text class="badge" x="{x + width / 2:.1f}" y="{y + 18:.0f}" text-anchor="middle">{escape(chip)}</text>'
            )
            x += width + 4
    parts.append(_marks(node.problems, box.width))
    parts.append("</g>")
    return "".join(parts)


def _marks(numbers: Sequence[int], width: float) -> str:
    return "".join(
        f'<circle class="mark" cx="{width - 18 * index:.1f}" cy="0" r="9"/>'
        f'<text class="number" x="{width - 18 * index:.1f}" y="4" text-anchor="middle">{number}</text>'
        for index, number in enumerate(numbers)
    )


def _details(node: Node) -> str:
    """What the mouse shows over a task: all that its card has no room for."""
    task = node.task
    title = task_title(task)
    lines = [title, task.id if task.id != title else "", task.step.description.partition("\n")[0]]
    options = option_list(task.options)
    lines += [f"{name}: {value}" for name, value in options if name != "display_name"]
    lines.append(str(task.where or ""))
    return "\n".join(line for line in lines if line)


def _frame_words(frame: Frame) -> str:
    return clip(frame.title, 420.0, 12.0)


def _frame(frame: Frame, box: Box) -> str:
    css = f"frame {frame.kind}" + (" bad" if frame.problems else "")
    shadow = ""
    if frame.kind == "loop":
        shadow = _rect(Box(box.x + 5, box.y - 5, box.width, box.height))
    return f'<g class="{css}" data-id="{escape(frame.id)}">{shadow}{_rect(box)}</g>'


def _rect(box: Box) -> str:
    return f'<rect class="rim" x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" rx="9"/>'


def _at(box: Box) -> str:
    return f"translate({box.x:.1f} {box.y:.1f})"


def _frame_title(frame: Frame, box: Box) -> str:
    if not frame.title and not frame.problems:
        return ""
    words = _frame_words(frame)
    width = size_of(words, 12.0, bold=True)
    return (
        f'<g class="frame {frame.kind}" transform="{_at(box)}">'
        f'<rect class="plate" x="8" y="4" width="{width + 6:.1f}" height="18" rx="4"/>'
        f'<text x="11" y="17">{escape(words)}<title>{escape(frame.title)}</title></text>'
        f"{_marks(frame.problems, box.width)}</g>"
    )


def _edge(edge: Edge, route: Sequence[Stroke]) -> str:
    x, begin, y = route[-1]
    path = "".join(_strokes([*route[:-1], (x, min(begin, y - 6), y - 6)]))
    source, target = escape(edge.source), escape(edge.target)
    title = f"{edge.source} → {edge.target}" + (f": {edge.label}" if edge.label else "")
    return (
        f'<path class="edge {edge.kind}" data-from="{source}" data-to="{target}" d="{path}">'
        f"<title>{escape(title)}</title></path>"
        f'<path class="tip {edge.kind}" d="M{x:.1f} {y:.1f}l-4 -7h8z"/>'
    )


def _strokes(route: Iterable[Stroke]) -> Iterator[str]:
    """Vertical lines, joined by curves that leave and arrive vertically."""
    before: tuple[float, float] | None = None
    for x, begin, end in route:
        if before is None:
            yield f"M{x:.1f} {begin:.1f}"
        elif abs(before[0] - x) < 0.5:
            yield f"L{x:.1f} {begin:.1f}"
        else:
            middle = (before[1] + begin) / 2
            yield f"C{before[0]:.1f} {middle:.1f} {x:.1f} {middle:.1f} {x:.1f} {begin:.1f}"
        if end != begin:
            yield f"L{x:.1f} {end:.1f}"
        before = x, end


def _header(scene: Scene) -> list[tuple[str, str, float, float]]:
    """Lines above the picture: class, text, height, width."""
    plan = scene.plan
    lines = [("title", clip(plan.name, 900.0, 16.0), 24.0, 16.0)]
    description = plan.description.strip().partition("\n")[0]
    if description:
        lines.append(("soft", clip(description, 900.0, 11.5), LINE, 11.5))
    words = ", ".join(parameter_text(parameter) for parameter in plan.parameters)
    if words:
        lines.append(("soft", clip(words, 900.0, 11.5), LINE, 11.5))
    result = [(css, text, height, size_of(text, size)) for css, text, height, size in lines]
    css, text, height, size = result[-1]
    return [*result[:-1], (css, text, height + 14, size)]


def _problem_lines(problems: Sequence[Problem]) -> list[str]:
    """The problems under the picture, wrapped."""
    lines = []
    for number, problem in enumerate(problems, 1):
        place = f"{problem.where}: " if problem.where else ""
        lines += _wrapped(f"{number}  {place}{problem.message}", 110)
        lines += _wrapped(problem.hint, 110) if problem.hint else []
    return lines


def _wrapped(text: str, width: int) -> list[str]:
    import textwrap

    lines = textwrap.wrap(text, width) or [""]
    first = lines[0] if text[:1].isdigit() else f"    {lines[0]}"
    return [first, *(f"    {line}" for line in lines[1:])]
