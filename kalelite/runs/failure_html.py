"""A step that failed, as a notebook shows it."""

from __future__ import annotations

from html import escape
from pathlib import Path

from kalelite.errors import Where
from kalelite.executor.spec import FailureReport
from kalelite.humanize import clean, error_line
from kalelite.picture.any_ground import state_colour
from kalelite.runs.steps_html import DIM
from kalelite.runs.values_html import folded

_PRINTED = 10
_PRE = (
    "margin:2px 0 6px;padding:6px 10px;background:#8881;border-radius:4px;overflow-x:auto;"
    "font-size:12px;line-height:1.4;white-space:pre"
)


def failure_html(name: str, failure: FailureReport, log: Path | None) -> str:
    """A failed step: the user's frames, what it raised and what it printed."""
    body = [*_causes(failure)]
    if failure.hint:
        body.append(f"<div>{escape(failure.hint)}</div>")
    printed = _printed(log)
    if printed:
        body.append(
            f"<div style='{DIM}'>it printed</div><pre style='{_PRE}'>{escape(printed)}</pre>"
        )
    title = f"✗ <b>{escape(name)}</b>: {escape(error_line(failure.type, failure.message)[:200])}"
    styled = f"<span style='color:{state_colour('failed')}'>{title}</span>"
    return folded(styled, "".join(body), is_open=True)


def _causes(failure: FailureReport) -> list[str]:
    """The frames of a failure, those of its cause first."""
    parts = []
    if failure.cause is not None:
        parts += [*_causes(failure.cause), f"<div style='{DIM}'>while handling that:</div>"]
    for frame in failure.frames:
        where = Where(frame.file, frame.line, frame.column, frame.end_column, frame.text)
        function = "" if frame.function == "<module>" else f" in {frame.function}"
        parts.append(f"<div><b>{escape(str(where))}</b>{escape(function)}</div>")
        source = where.render()
        parts.append(f"<pre style='{_PRE}'>{escape(source)}</pre>" if source else "")
    return [*parts, f"<div>{escape(error_line(failure.type, failure.message))}</div>"]


def _printed(log: Path | None) -> str:
    """The last lines that a step printed."""
    try:
        text = clean(log.read_text("utf-8", "replace").rstrip()) if log else ""
    except OSError:
        return ""
    return "\n".join(text.split("\n")[-_PRINTED:])
