"""What the results of a plan's tasks depend on: their keys, made of the captured code."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kalelite.blake import hashed
from kalelite.capture.code import Code, fingerprint
from kalelite.capture.file_content import content
from kalelite.executor.import_folders import import_folders
from kalelite.executor.package_version import package_version
from kalelite.executor.spec import Slot, TaskSpec
from kalelite.executor.task_key import TaskKey, digest
from kalelite.executor.template import value_slot
from kalelite.plan.graph import (
    Constant,
    Expr,
    ItemRef,
    Loop,
    OutputRef,
    ParameterRef,
    Plan,
    Task,
)

_LAYOUT = "3"
"""Of the keys: another one is no key of this version."""


class TaskKeys:
    """The keys of a plan's tasks, each made when it is first asked for.

    ``templates`` are those of the tasks, ``parameters`` the values of the pipeline's. ``shared``
    are the slots of parameters and of what loops go over. ``version`` gives that of a package.
    """

    def __init__(
        self,
        plan: Plan,
        code: Code,
        templates: Mapping[str, TaskSpec],
        parameters: Mapping[str, Any],
        shared: Iterable[Slot] = (),
        version: Callable[[str], str] = package_version,
    ) -> None:
        self._code = code
        self._templates = templates
        self._parameters = parameters
        self._shared = list(shared)
        self._tasks = {task.id: task for task in plan.tasks}
        self._items = {block.id: block.items for block in plan.blocks if isinstance(block, Loop)}
        self.failed: dict[str, str] = {}
        self._known: dict[str, TaskKey] = {}
        self._steps: dict[str, dict[str, str]] = {}
        self._lineages: dict[str, str] = {}
        self._results: dict[str, str] = {}
        self._rest = iter(plan.tasks)
        self._version = functools.cache(version)

    def get(self, id: str) -> TaskKey | None:
        """The key of a task; None if its results cannot be told from others, as `failed` says."""
        if id not in self._known and id not in self.failed:
            try:
                while id not in self._lineages:
                    self._next_lineage()
                self._known[id] = self._make(self._tasks[id])
            except Exception as error:
                self.failed[id] = f"{type(error).__name__}: {error}"
        return self._known.get(id)

    def make(self) -> Iterator[str]:
        """Make all keys: one before each id that is yielded."""
        for id in self._tasks:
            self.get(id)
            yield id

    def all(self) -> dict[str, TaskKey]:
        """All keys that there are, by the tasks' ids."""
        return {id: key for id in self._tasks if (key := self.get(id)) is not None}

    def _make(self, task: Task) -> TaskKey:
        template, options = self._templates[task.id], task.options
        outputs = [asdict(output) for output in template.outputs]
        own = {"returns": json.dumps([template.arity, outputs])}
        own |= {f"variable {name}": digest([value]) for name, value in options.env.items()}
        for folder in import_folders(options.env):
            own[f"file {folder}"] = hashed(content(Path(folder))).hex()
        if options.packages:
            own["packages"] = " ".join(sorted(options.packages))
        constants = _constants([*template.arguments.values(), *self._shared])
        sources = {name: tuple(self._sources(expr)) for name, expr in task.arguments.items()}
        state = self._code.state
        return TaskKey(
            {**self._of_step(template.step), **own},
            self._lineages[task.id],
            {name: self._code.fingerprint(name).digest for name in sorted(constants)},
            state.first if state.generators or state.objects else None,
            {name: found for name, found in sources.items() if found},
        )

    def _of_step(self, key: str) -> dict[str, str]:
        if key not in self._steps:
            found = self._code.fingerprint(key)
            python = ".".join(map(str, sys.version_info[:2]))
            parts = {**found.parts, "python": python, "layout": _LAYOUT}
            parts |= {f"package {name}": self._version(name) for name in sorted(found.libraries)}
            state = self._code.state_digest()
            self._steps[key] = {**parts, "state": state} if state else parts
        return self._steps[key]

    def _sources(self, expr: Expr) -> Iterator[str]:
        for part in expr.walk():
            match part:
                case OutputRef(task=task):
                    yield task
                case ItemRef(loop=loop):
                    yield from self._sources(self._items[loop])

    def _next_lineage(self) -> None:
        """For the next task, a digest of the code that its inputs may carry along.

        That is the code of all steps that they come from, and of the constants and parameters on
        the way that are more than JSON. A value can only be used in a call that comes after the
        one that it is from.
        """
        task = next(self._rest)
        found = {part for expr in task.arguments.values() for part in self._carried(expr)}
        lineage = digest(sorted(found))
        own = self._of_step(self._templates[task.id].step)
        self._results[task.id] = digest([json.dumps(own, sort_keys=True), lineage])
        self._lineages[task.id] = lineage

    def _carried(self, expr: Expr) -> Iterator[str]:
        for part in expr.walk():
            match part:
                case OutputRef(task=task):
                    yield self._results[task]
                case ItemRef(loop=loop):
                    yield from self._carried(self._items[loop])
                case ParameterRef(name=name):
                    yield _code_of(self._parameters[name])
                case Constant(value=value):
                    yield _code_of(value)


def _constants(slots: list[Slot]) -> set[str]:
    """The names of the constants in slots."""
    found: set[str] = set()
    pending = list(slots)
    while pending:
        slot = pending.pop()
        if "const" in slot:
            found.add(slot["const"])
        pending += [*slot.get("of", ()), *slot.get("keys", ())]
        pending += [slot["type"]] if "type" in slot else []
    return found


def _code_of(value: Any) -> str:
    return "" if value_slot(value) is not None else fingerprint(value).digest
