"""The verbs about runs: ``runs``, ``show``, ``logs`` and ``clean``."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from kalelite.cli.board import State
from kalelite.cli.json_output import JsonReporter
from kalelite.cli.screens import failure_screen
from kalelite.cli.summary import artifact_rows, metric_rows, preview, titled
from kalelite.cli.terminal import Terminal, clean, clip
from kalelite.cli.verbs import columns
from kalelite.cli.words import count, duration, near_path, size
from kalelite.errors import ExitCode, UsageError
from kalelite.runs import Run, TaskState, list_runs
from kalelite.runs import home as home_of

__all__ = ["verb_clean", "verb_logs", "verb_runs", "verb_show"]

_STATES = {state.word: state for state in State} | {
    "retrying": State.RETRYING,
    "interrupted": State.NOT_RUN,
    "crashed": State.FAILED,
}


def verb_runs(
    out: Terminal, home: Path | None, options: Mapping[str, Any], *, as_json: bool
) -> int:
    """``kalelite runs``: the newest runs, newest first."""
    limit = options.get("limit", 20)
    if limit < 1:
        raise UsageError(f"--limit {limit} shows nothing", hint="Give a number from 1.")
    found = list_runs(folder=home, limit=limit)
    if as_json:
        for run in found:
            JsonReporter(out).write({**run.data, "run": run.id, "state": run.state})
        return ExitCode.OK
    if not found:
        out.line(f"no runs in {near_path(str(home_of(home) / 'runs'))}")
        return ExitCode.OK
    rows = [("run", "pipeline", "state", "started", "took")]
    for run in found:
        started = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(run.data["started"]))
        rows.append((run.id, clip(run.pipeline, 40), run.state, started, duration(run.seconds)))
    head, *rest = columns(rows)
    out.line(out.paint(head, "dim"))
    for run, line in zip(found, rest, strict=True):
        out.line(line.replace(run.state, out.paint(run.state, _state(run.state).color), 1))
    return ExitCode.OK


def verb_show(
    out: Terminal, home: Path | None, options: Mapping[str, Any], *, as_json: bool
) -> int:
    """``kalelite show RUN``: what each task of a run did."""
    run = Run.open(options.get("run", "last"), folder=home)
    tasks = run.tasks
    if as_json:
        report = {**run.data, "run": run.id, "state": run.state, "tasks": list(tasks.values())}
        JsonReporter(out).write(report)
        return ExitCode.OK
    records = {name: task.record for name, task in tasks.items() if task.record is not None}
    folders = {name: task.folder for name, task in tasks.items() if task.folder is not None}
    state = _state(run.state)
    head = out.paint(f"{state.symbol} {run.pipeline} {run.state}", state.color, "bold")
    out.line(f"{head} in {duration(run.seconds)}")
    # A text may stand for a value that JSON has no word for: so none of them has quotes.
    parameters = [(name, str(value)) for name, value in run.parameters.items()]
    values = [
        (f"{name}.{output}", preview(entry))
        for name, record in records.items()
        for output, entry in record.outputs.items()
    ]
    sections = {
        "parameters": parameters,
        "steps": [(name, _task_words(task)) for name, task in tasks.items()],
        "values": values,
        "metrics": list(metric_rows(records)),
        "artifacts": list(artifact_rows(records, folders)),
        "experiment": [(name, "") for name in [run.data.get("experiment")] if name],
        "run": [(near_path(str(run.folder)), "")],
    }
    for title, rows in sections.items():
        for line in titled(title, rows, out):
            out.line(line)
    for name, record in records.items():
        if record.failure is not None:
            out.line()
            out.line(out.paint(f"✗ {name}", "red", "bold"))
            out.line("\n".join(failure_screen(record.failure, out)))
    return ExitCode.OK


def _state(word: str) -> State:
    return _STATES.get(word, State.WAITING)


def _task_words(task: TaskState) -> str:
    state = _state(task.status)
    seconds = task.seconds
    took = f" in {duration(seconds)}" if seconds is not None else ""
    if state is State.CACHED:
        took = ""
    why = f": {task.reason}" if task.reason else ""
    return f"{state.symbol} {task.status}{took}{why}"


def verb_logs(
    out: Terminal, home: Path | None, options: Mapping[str, Any], *, as_json: bool = False
) -> int:
    """``kalelite logs RUN [STEP]``: what the steps printed.

    On a terminal control characters are left out; a pipe or file gets the bytes as they are.
    """
    del as_json  # the parser offers no --output here
    run = Run.open(options.get("run", "last"), folder=home)
    tasks = run.tasks
    step = options.get("step")
    chosen = dict(_chosen(step, tasks))
    if not chosen:
        import difflib

        close = difflib.get_close_matches(str(step), tasks, 1)
        raise UsageError(
            f"run {run.id} has no step {step!r}",
            hint=f"Did you mean {close[0]}?" if close else f"It has {', '.join(list(tasks)[:12])}.",
        )
    lines = options.get("lines")
    if lines is not None and lines < 1:
        raise UsageError(f"-n {lines} shows nothing", hint="Give a number from 1.")
    for name, task in chosen.items():
        text = _log(task, lines)
        if len(chosen) > 1:
            if not text:
                continue
            out.line(out.paint(f"── {name} ", "bold") if out.unicode else f"-- {name} ")
        _print(text, out)
    return ExitCode.OK


def _chosen(step: str | None, tasks: Mapping[str, TaskState]) -> Iterator[tuple[str, TaskState]]:
    """The task of that name, or all instances of it, or all."""
    for name, task in tasks.items():
        if step in {None, name, name.partition("[")[0]}:
            yield name, task


def _log(task: TaskState, lines: int | None) -> bytes:
    if task.log is None:
        return b""
    try:
        text = task.log.read_bytes()
    except OSError:
        return b""
    if lines is None:
        return text
    return b"".join(text.splitlines(keepends=True)[-lines:])


def _print(text: bytes, out: Terminal) -> None:
    if text and not text.endswith(b"\n"):
        text += b"\n"
    buffer = getattr(out.stream, "buffer", None)
    if out.is_tty or buffer is None:
        out.write(clean(text.decode("utf-8", "replace")))
        return
    sys.stdout.flush()
    with suppress(BrokenPipeError):
        buffer.write(text)
        buffer.flush()


def verb_clean(
    out: Terminal, home: Path | None, options: Mapping[str, Any], *, as_json: bool = False
) -> int:
    """``kalelite clean --store``: free the values that no run refers to.

    A cached result holds no value: it goes with the last run that refers to its values.
    """
    del as_json  # as for logs
    if not options.get("store"):
        raise UsageError(
            "clean needs to be told what", hint="kalelite clean --store frees stored values."
        )
    from kalelite.backends.local.cache import prune
    from kalelite.marshal import Store
    from kalelite.plan.options.duration import seconds

    older_than = seconds(options.get("older_than", "1h"), name="--older-than")
    base = home_of(home)
    if not (base / "store").is_dir():
        out.line(f"there is no store in {near_path(str(base))}")
        return ExitCode.OK
    begun = [path.parent for path in (base / "runs").glob("*/run.json")]
    runs = list_runs(folder=home)
    _refuse_unread(begun, {run.id for run in runs})
    keep = [str(entry["ref"]) for run in runs for entry in run.outputs().values() if "ref" in entry]
    prune(base / "cache", set(keep))
    store = Store(base / "store")
    freed = store.collect(keep, older_than=older_than)
    left = store.sweep(older_than=max(older_than, 86_400.0))
    out.line(
        f"freed {size(freed.size + left.size)} in {count(freed.count + left.count, 'file')};"
        f" {count(len(set(keep)), 'value')} of runs kept"
    )
    return ExitCode.OK


def _refuse_unread(begun: list[Path], read: set[str]) -> None:
    """Free nothing while a run cannot be read: nobody knows what it refers to."""
    unread = [folder for folder in sorted(begun) if folder.name not in read]
    if unread:
        raise UsageError(
            f"the record of run {unread[0].name} cannot be read, so its values are not known",
            hint=f"Remove {near_path(str(unread[0]))} if the run is not needed any more.",
        )
