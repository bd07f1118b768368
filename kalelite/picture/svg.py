"""A plan as an SVG: tasks in layers, blocks as frames, options as badges, problems in red."""

from __future__ import annotations

import html
import textwrap
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType

from kalelite.errors import Problem
from kalelite.frozen import frozen
from kalelite.picture.card_states import STATE_STYLE, CardState
from kalelite.picture.diagram import BlockFrame, Diagram, Edge, TaskNode, diagram_of, with_siblings
from kalelite.picture.frame_layout import Box, FrameSize, Layout, lay_out
from kalelite.picture.labels import clip, problem_text
from kalelite.picture.layers import Stroke
from kalelite.picture.theme import themed
from kalelite.plan.graph import Plan

MARGIN = 20.0
LINE = 16.0
SMALL = 11.5
NO_STATES: Mapping[str, CardState] = MappingProxyType({})
_NARROW, _WIDE = set("iljtfr.,:;'|!()[]{} "), set("mwMW@%")

STYLE = themed("""\
.kp{font:13px system-ui,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;color-scheme:light dark}
.kp text{fill:$ink}
.kp .paper{fill:$paper}
.kp .title{font-size:16px;font-weight:650}
.kp .soft,.kp .out{fill:$soft;font-size:11.5px}
.kp .card{fill:$task;stroke:$rim;stroke-width:1.2}
.kp .task .name{font-weight:600}
.kp .handler .card{stroke:$exit}
.kp .chip{fill:$chip}
.kp .badge{font-size:10.5px}
.kp .frame>rect{fill:$frame;stroke:$rim;stroke-width:1}
.kp .frame text{font-size:12px;fill:$soft;font-weight:600}
.kp .frame .plate{fill:$frame;stroke:none}
.kp .siblings>rect{fill:none;stroke:$line;stroke-dasharray:1 3}
.kp .switch>rect{fill:none;stroke-dasharray:2 4}
.kp .loop>rect{stroke:$loop}
.kp .loop text{fill:$loop}
.kp .branch>rect{stroke:$condition}
.kp .branch text{fill:$condition}
.kp .exit>rect{stroke:$exit;stroke-dasharray:6 4}
.kp .exit text{fill:$exit}
.kp .edge{fill:none;stroke:$line;stroke-width:1.3}
.kp .order{stroke-dasharray:2 4}
.kp .edge.condition{stroke:$condition;stroke-dasharray:5 3}
.kp .edge.exit{stroke:$exit;stroke-dasharray:6 4}
.kp .tip{fill:$line}
.kp .tip.condition{fill:$condition}
.kp .tip.exit{fill:$exit}
.kp .bad .card,.kp .frame.bad>.rim{fill:$badfill;stroke:$bad;stroke-width:2}
.kp .mark{fill:$bad}
.kp text.number{fill:#fff;font-size:11px;font-weight:700}
.kp text.problem{fill:$bad;font-size:12.5px}
""")


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
        elif not unicodedata.combining(char):
            total += 0.58
    return total * size * (1.1 if bold else 1.0)


def escape(text: str) -> str:
    """Text for XML and HTML; characters that neither may hold are replaced."""
    whole = (
        char if char.isprintable() or char == "\n" else "\N{REPLACEMENT CHARACTER}" for char in text
    )
    return html.escape("".join(whole))


def _clip(text: str, width: float, size: float) -> str:
    return clip(text, width, partial(size_of, size=size))


@frozen
class _Card:
    """A task's box, ready to be written."""

    node: TaskNode
    state: CardState | None
    title: str
    outputs: str
    chips: tuple[str, ...]
    width: float
    height: float


@frozen
class Drawing:
    """A picture's inside and its size."""

    body: str
    width: float
    height: float


def to_svg(plan: Plan, problems: Iterable[Problem] = (), *, header: bool = True) -> str:
    """The plan as one SVG document, which follows the viewer's light or dark mode.

    ``header`` writes the name, the description, the parameters and the problems into it.
    """
    return svg_of(diagram_of(plan, problems), header=header)


def svg_of(
    diagram: Diagram,
    *,
    header: bool = False,
    states: Mapping[str, CardState] = NO_STATES,
    href: Callable[[str], str] | None = None,
    style: str = "",
) -> str:
    """A diagram as an SVG document.

    ``states`` are those of a run's tasks, by their ids: cards have their colours, and notes.
    ``href`` gives where a click on a task leads. With a ``style`` of its own it has no ground.
    """
    paper = "" if style else '<rect class="paper" width="100%" height="100%"/>\n'
    style = style or STYLE + (STATE_STYLE if states else "")
    picture = drawing(diagram, header=header, states=states, href=href)
    name = escape(diagram.name)
    role = "img" if href is None else "group"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="kp" role="{role}" aria-label="pipeline {name}" '
        f'viewBox="0 0 {picture.width:.0f} {picture.height:.0f}" '
        f'width="{picture.width:.0f}" height="{picture.height:.0f}">\n'
        f"<title>{name}</title>\n<style>{style}</style>\n{paper}{picture.body}</svg>\n"
    )


def drawing(
    diagram: Diagram,
    *,
    header: bool = True,
    states: Mapping[str, CardState] = NO_STATES,
    href: Callable[[str], str] | None = None,
) -> Drawing:
    """The diagram without the outermost element, as of `svg_of`; ``header`` adds texts around it."""
    diagram = with_siblings(diagram)
    cards = {node.id: _card(node, states.get(node.id)) for node in diagram.nodes}
    layout = _layout(diagram, cards)
    heads = _heads(diagram) if header else []
    problems = list(_problem_lines(diagram)) if header else []
    top = MARGIN + (LINE * len(heads) + 22 if heads else 0)
    texts = [*(size_of(text, size) for _, text, size in heads), *map(size_of, problems)]
    width = max(layout.width, *texts) if texts else layout.width
    shift = MARGIN + (width - layout.width) / 2 if diagram.nodes else MARGIN
    routes = zip(diagram.edges, layout.routes, strict=True)
    parts = [
        f'<g transform="translate({shift:.1f} {top:.1f})">',
        *(_frame(frame, layout.boxes[frame.id]) for frame in diagram.frames),
        *(_edge(edge, route) for edge, route in routes if route),
        *(_frame_title(frame, layout.boxes[frame.id]) for frame in diagram.frames),
        *(_task(card, layout.boxes[id], href) for id, card in cards.items()),
        "</g>",
    ]
    y = MARGIN + 14
    for css, text, _ in heads:
        parts.append(_text(css, MARGIN, y, text))
        y += 24 if css == "title" else LINE
    y = top + layout.height + MARGIN
    for line in problems:
        parts.append(_text("problem", MARGIN, y + 12, line, ' xml:space="preserve"'))
        y += 18
    bottom = MARGIN if problems else 0
    return Drawing("\n".join(parts) + "\n", width + 2 * MARGIN, y + bottom)


def _layout(diagram: Diagram, cards: Mapping[str, _Card]) -> Layout:
    frames = {
        frame.id: FrameSize(
            frame.parent, header=26.0 if frame.title else 12.0, width=_title_width(frame)
        )
        for frame in diagram.frames
    }
    return lay_out(
        {id: (card.width, card.height) for id, card in cards.items()},
        {node.id: node.parent for node in diagram.nodes},
        frames,
        [(edge.source, edge.target) for edge in diagram.edges],
        fixed={frame.id for frame in diagram.frames if frame.kind == "switch"},
    )


def _text(css: str, x: float, y: float, text: str, attributes: str = "") -> str:
    return f'<text class="{css}" x="{x:.1f}" y="{y:.1f}"{attributes}>{escape(text)}</text>'


def _centered(css: str, x: float, y: float, text: str) -> str:
    return _text(css, x, y, text, ' text-anchor="middle"')


def _card(node: TaskNode, state: CardState | None) -> _Card:
    title = _clip(node.title, 230.0, 13.0)
    outputs = _clip(node.outputs, 230.0, SMALL)
    chips = tuple(_clip(badge, 150.0, 10.5) for badge in node.badges)
    # The note's room does not change while the run goes on, nor does anything else's place.
    noted = 84.0 if state is not None else 0.0
    widths = size_of(title, bold=True), size_of(outputs, SMALL), _chips_width(chips), 64.0, noted
    height = 34.0 + (14.0 if outputs else 0.0) + (20.0 if chips else 0.0) + (16.0 if noted else 0.0)
    return _Card(node, state, title, outputs, chips, max(widths) + 24, height)


def _chips_width(chips: Sequence[str]) -> float:
    return sum(size_of(chip, 10.5) + 14 for chip in chips) - 4


def _task(card: _Card, box: Box, href: Callable[[str], str] | None) -> str:
    node, state = card.node, card.state
    css = "task" + (" handler" if node.handler else "") + (" bad" if node.problems else "")
    css += f" {state.css}" if state else ""
    tag = "g" if href is None else "a"
    link = f' href="{escape(href(node.id))}"' if href is not None else ""
    middle = box.width / 2
    parts = [
        f'<{tag}{link} class="{css}" data-id="{escape(node.id)}" data-parent="{escape(node.parent)}" {_at(box)}>',
        f"<title>{escape(_details(node, state))}</title>",
        f'<rect class="card" width="{box.width:.1f}" height="{box.height:.1f}" rx="7"/>',
        _centered("name", middle, 21, card.title),
    ]
    y = 21.0
    if card.outputs:
        y += 15
        parts.append(_centered("out", middle, y, card.outputs))
    if state is not None:
        y += 17
        parts.append(_centered("state", middle, y, state.text))
    x = middle - _chips_width(card.chips) / 2
    for chip in card.chips:
        width = _chips_width([chip])
        parts.append(
            f'<rect class="chip" x="{x:.1f}" y="{y + 7:.0f}" width="{width:.1f}" height="15" rx="7"/>'
        )
        parts.append(_centered("badge", x + width / 2, y + 18, chip))
        x += width + 4
    return "".join((*parts, _numbers(node.problems, box.width), f"</{tag}>"))


def _numbers(problems: Sequence[int], right: float) -> str:
    """The numbers of problems in red circles, from right to left."""
    return "".join(
        f'<circle class="mark" cx="{right - 18 * index:.1f}" cy="0" r="9"/>'
        + _centered("number", right - 18 * index, 4, str(number))
        for index, number in enumerate(problems)
    )


def _details(node: TaskNode, state: CardState | None) -> str:
    """What the mouse shows over a task: all that its card has no room for."""
    lines = [node.title, node.id if node.id != node.title else ""]
    lines.append(f"{state.state} {state.note}".strip() if state else "")
    return "\n".join(line for line in (*lines, *node.details) if line)


def _frame(frame: BlockFrame, box: Box) -> str:
    css = f"frame {frame.kind}" + (" bad" if frame.problems else "")
    behind = ""
    if frame.kind == "loop":
        behind = _rect(Box(box.x + 5, box.y - 5, box.width, box.height))
    return f'<g class="{css}" data-id="{escape(frame.id)}">{behind}{_rect(box)}</g>'


def _rect(box: Box) -> str:
    return f'<rect class="rim" x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" rx="9"/>'


def _at(box: Box) -> str:
    return f'transform="translate({box.x:.1f} {box.y:.1f})"'


def _frame_text(frame: BlockFrame) -> str:
    return _clip(frame.title, 420.0, 12.0)


def _title_width(frame: BlockFrame) -> float:
    return size_of(_frame_text(frame), 12.0, bold=True) + 6


def _frame_title(frame: BlockFrame, box: Box) -> str:
    if not frame.title and not frame.problems:
        return ""
    return (
        f'<g class="frame {frame.kind}" {_at(box)}>'
        f'<rect class="plate" x="8" y="4" width="{_title_width(frame):.1f}" height="18" rx="4"/>'
        f'<text x="11" y="17">{escape(_frame_text(frame))}<title>{escape(frame.title)}</title></text>'
        f"{_numbers(frame.problems, box.width)}</g>"
    )


def _edge(edge: Edge, route: Sequence[Stroke]) -> str:
    x, begin, y = route[-1]
    path = "".join(_path([*route[:-1], (x, min(begin, y - 6), y - 6)]))
    source, target = escape(edge.source), escape(edge.target)
    title = f"{edge.source} → {edge.target}" + (f": {edge.label}" if edge.label else "")
    return (
        f'<path class="edge {edge.kind}" data-from="{source}" data-to="{target}" d="{path}">'
        f"<title>{escape(title)}</title></path>"
        f'<path class="tip {edge.kind}" d="M{x:.1f} {y:.1f}l-4 -7h8z"/>'
    )


def _path(route: Sequence[Stroke]) -> Iterator[str]:
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


def _heads(diagram: Diagram) -> list[tuple[str, str, float]]:
    """Lines above the picture: class, text, size."""
    heads = [("title", _clip(diagram.name, 900.0, 16.0), 16.0)]
    return heads + [("soft", _clip(text, 900.0, SMALL), SMALL) for text in diagram.about if text]


def _problem_lines(diagram: Diagram) -> Iterator[str]:
    """The problems under the picture, wrapped."""
    wrap = partial(textwrap.wrap, width=110, initial_indent="    ", subsequent_indent="    ")
    for number, problem in enumerate(diagram.problems, 1):
        yield from wrap(f"{number}  {problem_text(problem)}", initial_indent="")
        yield from wrap(problem.hint)
