"""What steps gave and measured, as HTML: previews of values, frames as tables, series of metrics."""

from __future__ import annotations

import base64
import contextlib
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from kalelite.humanize import count, size
from kalelite.picture.mimebundle import table
from kalelite.runs.html_tables import plain_table
from kalelite.runs.steps_html import FONT
from kalelite.runs.stored_values import load_entry

if TYPE_CHECKING:
    from kalelite.executor.spec import OutputEntry
    from kalelite.runs.reading import RunRecord

_MOST = 40
_ROWS = 8
_LARGEST = 64 << 20
"""Bytes of a value from which on it is not loaded to be shown."""
_FRAMES = ("pandas.", "polars.")
_FIGURES = ("matplotlib.figure.", "PIL.")
_BARS = "▁▂▃▄▅▆▇█"


def folded(title: str, body: str, *, is_open: bool = False) -> str:
    """A part of the page that can be folded; nothing if it is empty."""
    if not body:
        return ""
    state = " open" if is_open else ""
    return (
        f"<details{state} style='margin:4px 0;{FONT}'>"
        f"<summary style='cursor:pointer'>{title}</summary>"
        f"<div style='margin:4px 0 8px 16px;overflow-x:auto'>{body}</div></details>"
    )


def values_html(run: RunRecord) -> str:
    """All values by name; those of the items of a loop in one row."""
    items: dict[str, list[Mapping[str, Any]]] = {}
    for name, entry in run.outputs().items():
        task, _, output = name.rpartition(".")
        # An output without a name of its own is what the step returned.
        short = task if output == "output" else name
        base, loop, rest = short.partition("[")
        items.setdefault(base + rest.partition("]")[2] if loop else short, []).append(entry)
    rows = [(name, *_shown(entries)) for name, entries in items.items()]
    left = [("…", count(len(rows) - _MOST, "more value"), "")] if rows[_MOST:] else []
    return table(("", "", ""), [*rows[:_MOST], *left]) if rows else ""


def _shown(entries: list[Mapping[str, Any]]) -> tuple[str, str]:
    octets = sum(entry.get("size") or 0 for entry in entries)
    texts = [str(entry.get("preview") or entry.get("type", "")) for entry in entries[:_ROWS]]
    text = (
        texts[0] if len(entries) == 1 else f"[{', '.join(texts)}{', …' * (len(entries) > _ROWS)}]"
    )
    return text if len(text) <= 300 else text[:299] + "…", size(octets) if octets >= 10_000 else ""


def displayed_values(run: RunRecord) -> Iterator[tuple[str, str]]:
    """Frames as tables and figures as pictures, by title: of runs here, whose values are our own."""
    if run.data.get("backend") != "local":
        return
    for name, entry in list(run.outputs().items())[:_MOST]:
        kind = str(entry.get("type", ""))
        if kind.startswith((*_FRAMES, *_FIGURES)) and (entry.get("size") or 0) <= _LARGEST:
            with contextlib.suppress(Exception):  # it is shown by its preview
                html = _displayed(load_entry(run, _entry(entry)))
                if html:
                    yield escape(name.removesuffix(".output")), html


def _entry(entry: Mapping[str, Any]) -> OutputEntry:
    return {"ref": entry["ref"]}


def _displayed(value: Any) -> str | None:
    save = getattr(value, "savefig", None)
    if save is not None:
        return picture_html(_saved(lambda file: save(file, format="png")))
    if type(value).__module__.startswith("PIL."):
        return picture_html(_saved(lambda file: value.save(file, format="PNG")))
    head = value.head(_ROWS)
    frame = head if hasattr(head, "columns") else head.to_frame()
    text = plain_table(frame._repr_html_())
    shape = getattr(value, "shape", ())
    return text and f"{text}<div>{' × '.join(map(str, shape))}</div>"


def _saved(save: Any) -> bytes:
    file = io.BytesIO()
    save(file)
    return file.getvalue()


def picture_html(data: bytes, kind: str = "image/png", about: str = "") -> str:
    """A picture; as an image, also an SVG runs no scripts. ``about`` is read out instead of it."""
    encoded = base64.b64encode(data).decode()
    return f"<img style='max-width:100%' src='data:{kind};base64,{encoded}' alt='{escape(about)}'>"


def metrics_html(curves: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """Each metric with its last value, and its course if there is one."""
    rows = [
        (name, f"{points[-1][1]:.6g}", _course([value for _, value in points]))
        for name, points in curves.items()
    ]
    left = [("…", count(len(rows) - _MOST, "more metric"), "")] if rows[_MOST:] else []
    return table(("", "", ""), [*rows[:_MOST], *left]) if rows else ""


def _course(points: Sequence[float]) -> str:
    """A series as a row of bars."""
    numbers = [point for point in points if math.isfinite(point)]
    if len(numbers) < 2:
        return ""
    every = -(-len(numbers) // 16)
    numbers = numbers[::every]
    low, high = min(numbers), max(numbers)
    width = (high - low) or 1.0
    bars = "".join(_BARS[round((number - low) / width * 7)] for number in numbers)
    return f"{bars}  {count(len(points), 'point')}"
