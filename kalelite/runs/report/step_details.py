"""What a page tells of each step: what it took, its failure, its log and its code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from kalelite.executor.spec import Record
from kalelite.humanize import count, size
from kalelite.runs.code_texts import CodeTexts
from kalelite.runs.kept_results import read_keys
from kalelite.runs.report.markup import Markup, element, shown, table
from kalelite.runs.report.web_page import state_badge
from kalelite.runs.run_dirs import task_of

if TYPE_CHECKING:
    from kalelite.executor.spec import Slot
    from kalelite.runs.pipeline_run import Run
    from kalelite.runs.task_state import TaskState

_LOG_BYTES = 64 << 10
"""Of a longer log the last part is shown."""
_MOST_INSTANCES = 100
"""Instances of a task that are shown one by one: those that failed, then the first."""


def anchor(name: str) -> str:
    """The id of the details of a task or an instance."""
    return f"step-{name}"


class Details:
    """Makes the details of a run's steps."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._texts = CodeTexts.read(run.home / str(run.data.get("code", "none")))
        self._steps = {task["id"]: task["step"] for task in run.data.get("tasks", ())}

    def of(self, tasks: Mapping[str, TaskState]) -> Iterator[Markup]:
        """An element for each task; those of a loop hold one for each instance."""
        groups: dict[str, dict[str, TaskState]] = {}
        for name, task in tasks.items():
            groups.setdefault(task_of(name), {})[name] = task
        for id, instances in groups.items():
            code = self._code(id)
            if list(instances) == [id]:
                yield _details(id, instances[id], *_parts(instances[id]), code)
                continue
            ranked = sorted(instances, key=lambda name: instances[name].status != "failed")
            chosen = [name for name in instances if name in set(ranked[:_MOST_INSTANCES])]
            more = len(instances) - len(chosen)
            yield element(
                "details",
                element("summary", f"{id}: {count(len(instances), 'item')}"),
                code,
                *(_details(name, instances[name], *_parts(instances[name])) for name in chosen),
                element("p", f"… and {more} more: kalelite logs {self._run.id} {id}", class_="soft")
                if more
                else "",
                id=anchor(id),
            )

    def _code(self, task: str) -> Markup:
        name = self._steps.get(task, task).rpartition(".")[2]
        for file, first, lines in self._texts.definitions(name):
            title = element("h3", "Code ", element("span", f"{file}:{first}", class_="soft"))
            return shown(title, _pre("\n".join(lines), f"Code of {task}"))
        return Markup("")


def _pre(text: str, label: str, id: str = "") -> Markup:
    more = {"id": id} if id else {}
    return element("pre", text, tabindex="0", role="group", aria_label=label, **more)


def _details(name: str, task: TaskState, *parts: str) -> Markup:
    summary = element("summary", name, " ", state_badge(task.status))
    return element("details", summary, *parts, id=anchor(name))


def _parts(task: TaskState) -> Iterator[Markup]:
    record = task.record
    if task.reason:
        yield element("p", task.reason, class_="soft")
    if record is not None:
        rows = [
            *((f"takes {name}", _slot(slot)) for name, slot in record.inputs.items()),
            *(
                (f"gives {name}", f"{entry.get('preview') or ''}  ({entry.get('type', '')})")
                for name, entry in record.outputs.items()
            ),
        ]
        if rows:
            yield table(f"What {task.name} takes and gives", ("Name", "Value"), rows)
        if record.failure is not None:
            yield element("h3", "Failure")
            text = record.failure.traceback or f"{record.failure.type}: {record.failure.message}"
            hint = f"\n{record.failure.hint}" if record.failure.hint else ""
            yield _pre(text + hint, f"Failure of {task.name}")
    text, left_out = _log(task.log)
    if text:
        note = f" the last {size(_LOG_BYTES)}; {size(left_out)} before it are left out"
        yield element("h3", "Log", element("span", note, class_="soft") if left_out else "")
        yield _pre(text, f"Log of {task.name}", f"log-{task.name}")


def _slot(slot: Slot) -> str:
    if "value" in slot:
        return repr(slot["value"])[:400]
    if "ref" in slot:
        return f"a value of an earlier step, {slot['ref']}"
    if "of" in slot:
        more = ", …" if len(slot["of"]) > 8 else ""
        return f"{slot.get('pack', '')} of {', '.join(map(_slot, slot['of'][:8]))}{more}"
    if "digest" in slot:
        return "not kept: it is long, or a secret"
    return "how the block ended" if "status" in slot else "a constant of the script"


def _log(path: Path | None) -> tuple[str, int]:
    """The end of a log, and how many bytes before it are left out."""
    try:
        if path is None or path.is_symlink():
            return "", 0
        with path.open("rb") as file:
            start = max(file.seek(0, 2) - _LOG_BYTES, 0)
            file.seek(start)
            return file.read().decode("utf-8", "replace").rstrip("\n"), start
    except OSError:
        return "", 0


def environment(run: Run, tasks: Mapping[str, TaskState]) -> Markup:
    """Where the run was, and the versions of Python and of the packages that its steps use."""
    records: list[Record] = [one.record for one in tasks.values() if one.record is not None]
    versions = {name: text for record in records for name, text in record.versions.items()}
    packages = {
        part.removeprefix("package "): text
        for parts in (
            *(k.parts for k in read_keys(run.folder).values()),
            *(r.parts for r in records),
        )
        for part, text in parts.items()
        if part.startswith("package ") and text
    }
    experiment = run.data.get("experiment")
    host = run.data.get("process", {}).get("host", "")
    rows = [
        ("runs on", run.data.get("backend", "")),
        ("host", host),
        ("experiment", experiment or ""),
        *sorted({**packages, **versions}.items()),
    ]
    return table("Environment", ("Name", "Value"), [row for row in rows if row[1]])
