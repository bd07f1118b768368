"""The steps of a run as a table of HTML, the items of a loop together.

What notebooks keep on the web is all that it needs: elements with styles of their own, whose
colours suit a light ground and a dark one. Without the styles it can be read as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from html import escape
from itertools import groupby
from pathlib import Path

from kalelite.frozen import frozen
from kalelite.humanize import clean, count, duration
from kalelite.picture.any_ground import state_colour
from kalelite.picture.card_states import SYMBOLS

DIM = "opacity:.65"
FONT = "font-size:13px;line-height:1.45"
_CELL = "padding:2px 14px 2px 0;text-align:left;vertical-align:middle;border:0"
_NUMBER = _CELL.replace("text-align:left", "text-align:right") + ";white-space:nowrap"
_NOTE = (
    _CELL + ";max-width:460px;overflow:hidden;text-overflow:ellipsis;white-space:nowrap;"
    "font-family:ui-monospace,monospace;font-size:12px"
)
_FEW = 6
"""Items of a loop that are all shown; of more, those that run and those that have failed."""
_MOST = 8
_TAIL = 4096
_ACTIVE = ("failed", "crashed", "retrying", "running")
_ENDED = ("succeeded", "cached", "not run", "skipped")


@frozen
class StepLine:
    """A line of the table. Times are POSIX seconds, 0 where there is none yet.

    ``part`` is how much is done, from 0 to 1, None where nobody knows; ``counts`` says it in
    words. ``note`` is what went wrong, or the last line printed; ``inside`` is for loop items.
    """

    name: str
    state: str
    started: float = 0.0
    finished: float = 0.0
    note: str = ""
    part: float | None = None
    counts: str = ""
    inside: bool = False

    def took(self, now: float) -> str:
        """How long it took, or has been running."""
        if not self.started or self.state == "cached":
            return ""
        return duration((self.finished or now) - self.started)


def last_line(log: Path | None) -> str:
    """The last line of a log that is not blank."""
    if log is None:
        return ""
    try:
        with log.open("rb") as file:
            file.seek(max(file.seek(0, 2) - _TAIL, 0))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    lines = [line for line in clean(text).splitlines() if line.strip()]
    return lines[-1].strip()[:300] if lines else ""


def part_of(line: str) -> float | None:
    """How much is done as a printed line says it: ``45%|``, as of tqdm, or ``Epoch 3/10``."""
    if found := re.search(r"(\d{1,3}(?:\.\d+)?) ?%", line):
        return min(float(found[1]) / 100, 1.0)
    if (found := re.search(r"(?<![\d/.])(\d{1,9}) ?/ ?(\d{1,9})(?![\d/.])", line)) is None:
        return None
    done, total = int(found[1]), int(found[2])
    return done / total if 0 < total >= done else None


def grouped(lines: Iterable[StepLine], totals: Mapping[str, int] | None = None) -> list[StepLine]:
    """The lines with those of a loop under one; ``totals`` are how many items a step will have."""
    found: list[StepLine] = []
    for base, group in groupby(lines, key=lambda line: line.name.partition("[")[0]):
        items = list(group)
        total = max((totals or {}).get(base, 0), len(items))
        if items[0].name == base and total == 1:
            found += items
        else:
            found += _loop(base, [line for line in items if line.name != base], total)
    return found


def _loop(base: str, items: Sequence[StepLine], total: int) -> Iterator[StepLine]:
    done = sum(line.state in {*_ENDED, "failed"} for line in items)
    states = {line.state for line in items}
    ended = _ENDED if done == total else ()
    state = next((one for one in (*_ACTIVE, *ended) if one in states), "")
    state = state or ("running" if done else "waiting")
    started = min((line.started for line in items if line.started), default=0.0)
    finished = max((line.finished for line in items), default=0.0) if done == total else 0.0
    yield StepLine(base, state, started, finished, "", done / total, f"{done} of {total}")
    shown = [line for line in items if len(items) <= _FEW or line.state in _ACTIVE]
    yield from (replace(line, inside=True) for line in shown[:_MOST])
    if shown[_MOST:]:
        left = count(len(shown) - _MOST, "more item")
        yield StepLine(f"… {left}", "waiting", inside=True)


def bar(part: float, state: str, width: str = "84px") -> str:
    """A bar that is filled up to a part."""
    inner = f"width:{part:.0%};height:6px;border-radius:3px;background:{state_colour(state)}"
    return (
        f"<div style='display:inline-block;vertical-align:middle;width:{width};height:6px;"
        "border-radius:3px;background:#8884'>"
        f"<div style='{inner}'></div></div>"
    )


def head_html(pipeline: str, state: str, about: str) -> str:
    """The pipeline's name, the state of the run, and a few words more."""
    badge = (
        f"color:#fff;background:{state_colour(state)};border-radius:10px;padding:1px 10px;"
        "font-size:12px;margin:0 8px"
    )
    return (
        f"<div style='margin:4px 0 6px'><b style='font-size:15px'>{escape(pipeline)}</b> "
        f"<span style='{badge}'>{SYMBOLS.get(state, '')} {escape(state)}</span> "
        f"<span style='{DIM}'>{escape(about)}</span></div>"
    )


def steps_html(lines: Iterable[StepLine], now: float) -> str:
    """The table."""
    rows = "".join(_row(line, now) for line in lines)
    heads = "".join(
        f"<th style='{style};{DIM};font-weight:normal'>{text}</th>"
        for text, style in (
            ("step", _CELL),
            ("state", _CELL),
            ("time", _NUMBER),
            ("progress", _CELL),
            ("last line printed", _CELL),
        )
    )
    return (
        "<div style='overflow-x:auto'>"
        f"<table style='border-collapse:collapse;border:0;margin:0;{FONT}'>"
        f"<thead><tr style='background:none'>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _row(line: StepLine, now: float) -> str:
    left = "padding-left:20px;" if line.inside else ""
    weight = "bold" if line.state == "running" and not line.inside else "normal"
    tone = state_colour(line.state)
    said = line.counts or ("" if line.part is None else f"{line.part:.0%}")
    done = "" if line.part is None else bar(line.part, line.state)
    note = f";color:{tone}" if line.state in {"failed", "crashed"} else f";{DIM}"
    state = "" if line.name.startswith("…") else f"{SYMBOLS.get(line.state, '')} {line.state}"
    return (
        f"<tr style='background:none'><td style='{_CELL};{left}font-weight:{weight}'>"
        f"{escape(line.name)}</td>"
        f"<td style='{_CELL};color:{tone};white-space:nowrap'>{state}</td>"
        f"<td style='{_NUMBER};{DIM}'>{line.took(now)}</td>"
        f"<td style='{_CELL};white-space:nowrap'>{done}<span style='{DIM};font-size:11px;margin-left:6px'>{said}"
        f"</span></td><td style='{_NOTE}{note}' title='{escape(line.note)}'>{escape(line.note)}</td>"
        "</tr>"
    )
