"""Why a step ran or was taken from an earlier run: what it depends on, compared part by part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field, replace
from itertools import chain
from typing import Any

from kalelite.executor.record_file import is_own, parse
from kalelite.executor.spec import Record, Slot
from kalelite.executor.task_key import Keys, TaskKey
from kalelite.frozen import frozen
from kalelite.runs.code_texts import CodeTexts, difference
from kalelite.runs.kept_results import cached_reason, read_keys, read_records
from kalelite.runs.pipeline_run import Run, list_runs
from kalelite.runs.run_dirs import task_of
from kalelite.runs.task_state import TaskState

_LOOKED_AT = 50
"""Earlier runs that are compared with, at most."""
_LONGEST = 60
"""Characters of a value that is shown."""


@frozen
class Change:
    """One thing that differs, in a sentence, with a short diff of its source."""

    text: str
    diff: tuple[str, ...] = ()


@frozen
class Explanation:
    """Why instances of a task ran, or did not: those with one reason together."""

    instances: tuple[str, ...]
    status: str
    text: str
    changes: tuple[Change, ...] = ()


@frozen
class Side:
    """What an instance depends on, in one of the two runs that are compared."""

    step: str
    key: TaskKey
    inputs: Mapping[str, Slot]
    texts: CodeTexts

    @classmethod
    def of(cls, step: str, key: TaskKey, record: Record, texts: CodeTexts) -> Side:
        """That of a record of the step itself, whose pod may have known parts of its key alone."""
        return cls(step, replace(key, parts={**key.parts, **record.parts}), record.inputs, texts)


def changes(before: Side, after: Side) -> Iterator[Change]:
    """What differs between two executions of a task; nothing if one stands for the other."""
    old, new = before.key.parts, after.key.parts
    named: set[str] = set()
    for part in sorted({*old, *new}, key=lambda part: (part == "value", part)):
        if old.get(part) != new.get(part) and not (part == "value" and named):
            named.add(part)
            yield _part(part, before, after)
    arguments = list(_inputs(before, after))
    yield from arguments
    if before.key.first != after.key.first:
        yield Change("the seeds of generators are shared out in another way")
    if before.key.lineage != after.key.lineage and not (named or arguments):
        sources = sorted({task for found in after.key.sources.values() for task in found})
        origin = ", ".join(sources) or "its arguments"
        yield Change(f"the code of {origin} changed, and its values bring classes along")


def _part(part: str, before: Side, after: Side) -> Change:
    old, new = before.key.parts.get(part), after.key.parts.get(part)
    kind, _, name = part.partition(" ")
    fixed = {
        "state": "what the script sets up at its top level changed",
        "returns": "its outputs are others",
        "layout": "this version of kalelite makes keys in another way",
        "shared": "other globals share an object",
    }
    if kind in fixed:
        return Change(fixed[kind])
    if kind in {"python", "package", "packages", "image"}:
        what = {"python": "Python", "packages": "packages=", "image": "image="}.get(kind, name)
        return Change(f"{what} is {new or 'not used any more'} and was {old or 'not used'}")
    if kind == "variable":
        return Change(f"the variable {name} of its environment {_verb(old, new, 'changed')}")
    if kind == "file":
        return Change(f"the content of {name} {_verb(old, new, 'changed')}")
    own = kind == "value" or name.rpartition(".")[2] == before.step
    name = before.step if own else name
    module = kind == "module"
    diff = difference(
        before.texts, after.texts, name if module else name.rpartition(".")[2], module=module
    )
    what = "its own code" if own else f"the {kind} {name} that it uses"
    return Change(f"{what} {_verb(old, new, 'was edited' if diff or own else 'changed')}", diff)


def _verb(old: str | None, new: str | None, both: str) -> str:
    if old is None:
        return "is new"
    return both if new is not None else "is not used any more"


def _inputs(before: Side, after: Side) -> Iterator[Change]:
    old, new = Keys(before.key).canonical(before.inputs), Keys(after.key).canonical(after.inputs)
    for name in sorted({*old, *new}):
        if old.get(name) == new.get(name):
            continue
        sources = after.key.sources.get(name) or before.key.sources.get(name) or ()
        origin = f", from {', '.join(dict.fromkeys(sources))}," if sources else ""
        if name not in new or name not in old:
            yield Change(f"the argument {name}{origin} {_verb(old.get(name), new.get(name), '')}")
            continue
        was, is_now = _shown(old[name]), _shown(new[name])
        more = f": {is_now}, and was {was}" if was and is_now and was != is_now else ""
        yield Change(f"the argument {name}{origin} is another value{more}")


def _shown(slot: Slot) -> str:
    """A short value as it is; empty for a long one, and for what only a reference is known of."""
    if slot.get("pack") in {"list", "tuple"}:
        items = [_shown(item) for item in slot["of"]]
        text = f"[{', '.join(items)}]" if all(items) else ""
    else:
        text = repr(slot["value"]) if "value" in slot else ""
    return text if len(text) <= _LONGEST else ""


@frozen
class _Before:
    """An earlier run to compare with."""

    run: Run
    keys: Mapping[str, TaskKey]
    records: Mapping[str, Mapping[str, Any]]
    texts: CodeTexts = field(repr=False)

    def side(self, name: str, step: str) -> Side | None:
        key = self.keys.get(task_of(name))
        if key is None or name not in self.records:
            return None
        return Side.of(step, key, parse(self.records[name]), self.texts)


def texts_of(run: Run) -> CodeTexts:
    """The source of a run's steps."""
    return CodeTexts.read(run.home / str(run.data.get("code", "none")))


def before(run: Run) -> _Before:
    """A run as others are compared with it."""
    records = {
        name: data for name, data in read_records(run.folder) if data.get("status") == "succeeded"
    }
    return _Before(run, read_keys(run.folder), records, texts_of(run))


class Explainer:
    """Explains the instances of a run."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._keys = read_keys(run.folder)
        self._texts = texts_of(run)
        self._steps = {task["id"]: task["step"] for task in run.data.get("tasks", ())}
        others = [one for one in list_runs(folder=run.home) if one.id < run.id]
        where = run.data.get("backend")
        same = [one for one in others if one.pipeline == run.pipeline]
        same = [one for one in same if one.data.get("backend") == where][:_LOOKED_AT]
        same.sort(key=lambda one: one.id == run.resumes, reverse=True)
        self.compared = next(iter(same), None)
        self._others = iter(same)
        self._read: list[_Before] = []

    def explain(self, step: str | None = None) -> list[Explanation]:
        """Every task, or those of one step or instance, in the order of the plan."""
        groups: dict[tuple[str, str, str, tuple[Change, ...]], list[str]] = {}
        for name, task in self._run.tasks.items():
            if step in {None, name, task_of(name)}:
                text, found = self._of(name, task)
                groups.setdefault((task_of(name), task.status, text, found), []).append(name)
        return [
            Explanation(tuple(names), status, text, found)
            for (_, status, text, found), names in groups.items()
        ]

    def _of(self, name: str, task: TaskState) -> tuple[str, tuple[Change, ...]]:
        record = task.record
        if task.status == "cached" and record is not None:
            asked = task_of(name) in self._run.data.get("given", ())
            why = "--from asked for it" if asked else "unchanged"
            return f"taken {cached_reason(record)}: {why}", ()
        if record is None:
            return task.reason or f"it is {task.status}", ()
        if task_of(name) not in self._keys:
            return "it ran; this run has not kept what its steps depend on", ()
        return self._ran(name, record)

    def _ran(self, name: str, record: Record) -> tuple[str, tuple[Change, ...]]:
        step = self._steps[task_of(name)]
        side = Side.of(step, self._keys[task_of(name)], record, self._texts)
        earlier = self._earlier(name, step)
        if earlier is None:
            return "it ran: no earlier run has a result of it", ()
        run, old, whole = earlier
        whole = whole and is_own(record)
        if not whole:  # only the code can be compared
            key = replace(side.key, lineage=old.key.lineage)
            side = replace(side, key=key, inputs=old.inputs)
        found = tuple(changes(old, side))
        if found:
            return f"it ran, compared with run {run.id}:", found
        if not whole:
            hint = f"kalelite explain {self._run.id} --fetch reads it"
            return f"it ran; what it was given stands on the volume of its run: {hint}", ()
        return f"it ran, though nothing changed since run {run.id}: {self._anyway(name)}", ()

    def _anyway(self, name: str) -> str:
        data = self._run.data
        if data.get("reuse") is False:
            return "--no-cache was given"
        if {task_of(name), self._steps[task_of(name)]} & set(data.get("fresh", ())):
            return "--refresh was given"
        cached = {task["id"] for task in data.get("tasks", ()) if task.get("cache")}
        if task_of(name) not in cached and not self._run.resumes:
            return "cache=True, or --cache, would take its result"
        return "its result had not been kept"

    def _earlier(self, name: str, step: str) -> tuple[Run, Side, bool] | None:
        """The last run that has a result of an instance, and whether its own record is here."""
        for one in chain(self._read, map(self._reading, self._others)):
            side = one.side(name, step)
            if side is not None:
                return one.run, side, is_own(parse(one.records[name]))
        return None

    def _reading(self, run: Run) -> _Before:
        self._read.append(before(run))
        return self._read[-1]
