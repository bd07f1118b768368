"""What is shown when a run is over: how it ended, what it gave, what failed and how to go on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from kalelite.display.error_view import call_lines, failure_lines
from kalelite.display.run_progress import RunProgress, Status, TaskProgress
from kalelite.display.screen import Fit, Screen
from kalelite.executor.spec import Record
from kalelite.humanize import clean, count, duration, near_path, one_line, size
from kalelite.plan.graph import Collected, Expr, OneOf, OutputRef, Pack, Plan, subscripts
from kalelite.plan.options.secrecy import hide_secrets

_FULL_FAILURES = 3
_LOG_LINES = 10
_LOG_BYTES = 64 * 1024


def print_summary(
    run: RunProgress, out: Screen, *, commands: Sequence[str] = (), explain: bool = False
) -> None:
    """Sum up a run that is over.

    ``commands`` are what may be typed after a failure: to go on, and to begin anew. ``explain`` adds
    why each step ran, or was taken from an earlier run.
    """
    _print_failures(run, out)
    state = Status.SUCCEEDED if run.state == "succeeded" else Status.FAILED
    counts = ", ".join(f"{number} {status.label}" for status, number in run.counts().items())
    head = f"{state.symbol} {run.plan.name} {run.state}"
    out.line((head, f"bold {state.color}"), f" in {duration(run.seconds)}: {counts or 'no steps'}")
    rows = run.in_order()
    records = {row.task: row.record for row in rows if row.record is not None}
    folders = {row.task: row.log.parent for row in rows if row.log is not None}
    print_section("result", result_rows(run.plan, {row.task: row.record for row in rows}), out)
    print_section("metrics", list(metric_rows(records)), out)
    print_section("artifacts", list(artifact_rows(records, folders)), out, fit="keep")
    print_section("run", [(near_path(str(run.folder)), "")], out)
    if run.state != "succeeded" and commands:
        stopped = run.state in {"interrupted", "cancelled"}
        labels = "Next:" if stopped else "When that is corrected:", "or all of it again:"
        width = max(len(label) for label, _ in zip(labels, commands, strict=False))
        out.line()
        for label, command in zip(labels, commands, strict=False):
            out.line(f"  {label:<{width}}  {command}", fit="keep")
    if explain:
        from kalelite.display.explain_view import print_explanations

        out.line()
        print_explanations(run.run, run.folder.parent.parent, out)


def print_section(
    title: str, rows: Sequence[tuple[str, str]], out: Screen, *, fit: Fit = "cut"
) -> None:
    """Rows of a name and a text, with a title in the margin; nothing without rows."""
    name_width = min(max((len(name) for name, text in rows), default=0), 40)
    for position, (name, text) in enumerate(rows):
        label = f"  {title if not position else '':<11}"
        cleaned = one_line(text) if fit == "cut" else clean(text)
        shown = f"{name:<{name_width}}  {cleaned}" if text else name
        out.line((label, "dim"), shown, fit=fit)


def _print_failures(run: RunProgress, out: Screen) -> None:
    rows = run.in_order()
    failed = [row for row in rows if row.status is Status.FAILED]
    for row in failed[:_FULL_FAILURES]:
        _print_failure(run, row, out)
        out.line()
    rest = failed[_FULL_FAILURES:]
    if rest:
        out.line(f"{count(len(rest), 'more step')} failed:")
        for row in rest[:20]:
            out.line(f"  {row.task}: {one_line(row.note)}", fit="cut")
        if len(rest) > 20:
            out.line(f"  … and {len(rest) - 20} more")
        out.line()
    stopped = [row.task for row in rows if row.status is Status.NOT_RUN]
    if stopped:
        more = f" and {len(stopped) - 12} more" if stopped[12:] else ""
        out.line(("not run:", "yellow"), f" {', '.join(stopped[:12])}{more}")
        out.line()


def _print_failure(run: RunProgress, row: TaskProgress, out: Screen) -> None:
    seconds = row.seconds(row.finished)
    when = "" if seconds is None else f" after {duration(seconds)}"
    attempts = f", at attempt {row.attempt}" if row.attempt > 1 else ""
    out.line((f"✗ {row.task} failed{when}{attempts}", "bold red"))
    out.line()
    if row.failure is not None:
        called_at = run.called_at(row.task) if run.state != "interrupted" else None
        if not row.failure.frames and called_at is not None:
            out.lines(call_lines(called_at, out.width))
        out.lines(failure_lines(row.failure, out.width))
    printed, more = log_tail(row.log) if row.log is not None else ([], False)
    if printed:
        what = f"the last {count(len(printed), 'line')} that it printed" if more else "it printed"
        out.line()
        out.line(f"  {what} (kalelite logs last {row.task}):")
        for line in printed:
            out.line((f"  │ {line}", "dim"), fit="cut")


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


_Records = Mapping[str, Record | None]
"""By instance; None for one that has not run."""


def result_rows(plan: Plan, records: _Records) -> list[tuple[str, str]]:
    """The values that the pipeline returned: a name and a preview for each."""
    return list(_results("", plan.result, records)) if plan.result is not None else []


def _results(name: str, expr: Expr, records: _Records) -> Iterator[tuple[str, str]]:
    if isinstance(expr, OneOf):
        found = (list(_results(name, choice, records)) for choice in expr.choices)
        yield from next(filter(None, found), [])
    elif isinstance(expr, Collected):
        yield name or expr.source.task, _collected(expr, records, expr.source.task, len(expr.loops))
    elif isinstance(expr, OutputRef):
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


def _collected(expr: Collected, records: _Records, task: str, depth: int) -> str:
    """The values of all items, in lists as deep as the loops are."""
    if not depth:
        rows = list(_results(" ", replace(expr.source, task=task), records))
        return rows[0][1] if rows else "None"
    heads = (name.removeprefix(f"{task}[") for name in records if name.startswith(f"{task}["))
    places = sorted({int(head.partition("]")[0]) for head in heads})
    inner = (_collected(expr, records, f"{task}[{place}]", depth - 1) for place in places)
    return f"[{', '.join(inner)}]"


def preview(output: Mapping[str, Any]) -> str:
    """A value as the record shows it, with its size if that is worth telling."""
    octets = output.get("size") or 0
    tail = f"  ({size(octets)})" if octets >= 10_000 else ""
    return f"{hide_secrets(output.get('preview') or output.get('type', ''))}{tail}"


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
