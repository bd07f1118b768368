"""What is said when a run is over: how it ended, what it gave, what failed and how to go on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kalelite.cli.board import Board, Row, State
from kalelite.cli.terminal import Terminal, clean, clip
from kalelite.cli.words import count, duration, near_path, size
from kalelite.errors import Where
from kalelite.executor.spec import Record
from kalelite.plan.graph import Expr, OutputRef, Pack, Plan, subscripts

__all__ = [
    "artifact_rows",
    "log_tail",
    "metric_rows",
    "preview",
    "result_rows",
    "summary",
    "titled",
]

_FULL_FAILURES = 3
_LOG_LINES = 10
_LOG_BYTES = 64 * 1024


def summary(board: Board, terminal: Terminal, *, command: str = "") -> str:
    """The last words of a run.

    Parameters
    ----------
    board
        The run, finished.
    terminal
        For its width and colours.
    command
        What to type to go on after a failure; empty if nobody knows.
    """
    parts = [*_failures(board, terminal)]
    records = {row.task: row.record for row in board.in_order() if row.record is not None}
    folders = {row.task: row.log.parent for row in board.rows.values() if row.log is not None}
    tables = [
        ("result", result_rows(board.plan, records)),
        ("metrics", list(metric_rows(records))),
        ("artifacts", list(artifact_rows(records, folders))),
    ]
    lines = [_headline(board, terminal)]
    for title, rows in tables:
        lines += titled(title, rows, terminal)
    lines += titled("run", [(near_path(str(board.folder)), "")], terminal)
    if board.state != "succeeded" and command:
        stopped = board.state == "interrupted"
        what = "To run it again:" if stopped else "To go on, put it right and run:"
        lines += ["", f"  {what}  {command}"]
    parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _headline(board: Board, terminal: Terminal) -> str:
    state = State.SUCCEEDED if board.state == "succeeded" else State.FAILED
    counts = ", ".join(f"{number} {kind.word}" for kind, number in board.counts().items())
    head = terminal.paint(f"{state.symbol} {board.plan.name} {board.state}", state.color, "bold")
    return f"{head} in {duration(board.seconds)}: {counts or 'no steps'}"


def titled(title: str, rows: Sequence[tuple[str, str]], terminal: Terminal) -> list[str]:
    """Rows of a name and a text, below a title in the margin; nothing without rows.

    Texts are cut at the edge of the terminal, but for the paths of artifacts.
    """
    if not rows:
        return []
    name_width = min(max(len(name) for name, text in rows), 40)
    lines = []
    for position, (name, text) in enumerate(rows):
        label = terminal.paint(f"{title if not position else '':<11}", "dim")
        room = max(terminal.width - 15 - name_width, 20)
        cut = clean(text) if title == "artifacts" else clip(text, room)
        shown = f"{name:<{name_width}}  {cut}" if text else name
        lines.append(f"  {label}{shown}".rstrip())
    return lines


def _failures(board: Board, terminal: Terminal) -> Iterator[str]:
    failed = [row for row in board.in_order() if row.state is State.FAILED]
    for row in failed[:_FULL_FAILURES]:
        place = board.called_at(row.task) if board.state != "interrupted" else None
        yield "\n".join(_failure(row, place, terminal))
    rest = failed[_FULL_FAILURES:]
    if rest:
        yield "\n".join(
            [f"{count(len(rest), 'more step')} failed:"]
            + [f"  {row.task}: {clip(row.note, terminal.width - 8)}" for row in rest[:20]]
            + ([f"  … and {len(rest) - 20} more"] if len(rest) > 20 else [])
        )
    stopped = [row.task for row in board.in_order() if row.state is State.NOT_RUN]
    if stopped:
        shown = ", ".join(stopped[:12]) + (f" and {len(stopped) - 12} more" if stopped[12:] else "")
        yield f"{terminal.paint('not run:', 'yellow')} {shown}"


def _failure(row: Row, called_at: Where | None, terminal: Terminal) -> list[str]:
    seconds = row.seconds(row.finished)
    when = "" if seconds is None else f" after {duration(seconds)}"
    attempts = f", at attempt {row.attempt}" if row.attempt > 1 else ""
    from kalelite.cli.screens import call_lines, failure_screen

    lines = [terminal.paint(f"✗ {row.task} failed{when}{attempts}", "red", "bold"), ""]
    if row.failure is not None:
        if not row.failure.frames and called_at is not None:
            lines += call_lines(called_at, terminal)
        lines += failure_screen(row.failure, terminal)
    printed, more = log_tail(row.log) if row.log is not None else ([], False)
    hint = f"kalelite logs last {row.task}"
    if printed:
        what = f"the last {count(len(printed), 'line')} that it printed" if more else "it printed"
        lines += ["", f"  {what} ({hint}):"]
        lines += [terminal.paint(f"  │ {clip_line(line, terminal)}", "dim") for line in printed]
    return lines


def clip_line(line: str, terminal: Terminal) -> str:
    """A line of a log, cut at the edge of the terminal."""
    room = max(terminal.width - 6, 20)
    return line if len(line) <= room else line[: room - 1] + "…"


def log_tail(path: Path, lines: int = _LOG_LINES) -> tuple[list[str], bool]:
    """The last `lines` lines of a log, and whether there are more. Nothing if there is no log."""
    try:
        with path.open("rb") as file:
            length = file.seek(0, 2)
            file.seek(max(length - _LOG_BYTES, 0))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return [], False
    found = clean(text.rstrip()).split("\n") if text.strip() else []
    return found[-lines:], len(found) > lines or length > _LOG_BYTES


def result_rows(plan: Plan, records: Mapping[str, Record]) -> list[tuple[str, str]]:
    """The values that the pipeline returned: a name and a preview for each."""
    return list(_results("", plan.result, records)) if plan.result is not None else []


def _results(name: str, expr: Expr, records: Mapping[str, Record]) -> Iterator[tuple[str, str]]:
    if isinstance(expr, OutputRef):
        record = records.get(expr.task)
        output = record.outputs.get(expr.output) if record is not None else None
        if output is not None:
            path = subscripts(expr.path)
            shown = preview(output) if not path else f"a part of {preview(output)}"
            output_name = "" if expr.output == "output" else f".{expr.output}"
            yield name or f"{expr.task}{output_name}{path}", shown
    elif isinstance(expr, Pack):
        keys: Sequence[Any] = (
            expr.keys or getattr(expr.type, "_fields", ()) or range(len(expr.items))
        )
        for key, item in zip(keys, expr.items, strict=False):
            label = f"{name}.{key}" if name else str(key)
            yield from _results(label if isinstance(key, str) else "", item, records)


def preview(output: Mapping[str, Any]) -> str:
    """A value as the record shows it, with its size if that is worth telling."""
    octets = output.get("size") or 0
    tail = f"  ({size(octets)})" if octets >= 10_000 else ""
    return f"{output.get('preview') or output.get('type', '')}{tail}"


def metric_rows(records: Mapping[str, Record]) -> Iterator[tuple[str, str]]:
    """Every metric with its last value."""
    for task, record in records.items():
        series: dict[str, list[Mapping[str, Any]]] = {}
        for metric in record.metrics:
            series.setdefault(str(metric.get("name")), []).append(metric)
        for name, points in series.items():
            value = points[-1].get("value")
            shown = f"{value:.6g}" if isinstance(value, float) else str(value)
            many = f"  (the last of {len(points)})" if len(points) > 1 else ""
            yield f"{task}.{name}", shown + many


def artifact_rows(
    records: Mapping[str, Record], folders: Mapping[str, Path]
) -> Iterator[tuple[str, str]]:
    """Every artifact: what it is and where its file is. ``folders`` are those of the tasks."""
    for task, record in records.items():
        for artifact in record.artifacts:
            file = str(artifact.get("file", ""))
            folder = folders.get(task)
            place = near_path(str(folder / "artifacts" / file)) if folder is not None else file
            yield f"{task}.{artifact.get('name')}", f"{artifact.get('kind', '')}  {place}".strip()
