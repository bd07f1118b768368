"""What the process of a task is told: its spec, filled from what has come out so far."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from kalelite.backends.local.cache import Cache
from kalelite.backends.local.containers.container_plan import Containers
from kalelite.backends.local.pool.import_environment import read_at_import
from kalelite.backends.local.pool.messages import Message
from kalelite.backends.local.pool.slots import Grant
from kalelite.capture import Code
from kalelite.engine.evaluate import Entry
from kalelite.engine.results import Place
from kalelite.engine.schedule import Schedule
from kalelite.engine.task_templates import to_slot
from kalelite.engine.transitions import Instance, Ready
from kalelite.executor.spec import OutputSpec, Record, Slot, TaskSpec
from kalelite.executor.template import TaskTemplate, Values, fill, value_slot
from kalelite.marshal import Store
from kalelite.plan.graph import Collected, Expr, Loop, OneOf, OutputRef, Plan
from kalelite.runs import RunFolder

__all__ = ["Workshop", "install_code"]


class Workshop:
    """Makes the orders of a run.

    Parameters
    ----------
    plan, code, schedule
        What is run. All constants of the plan's arguments are added to the code here, and the
        parameters that are more than JSON: so their classes are those of the steps.
    store
        Where values are.
    run
        The record of the run.
    packages
        Folders of packages that steps ask for, by the set of requirements.
    cache
        Where the results of steps with ``cache=True`` are kept; None to run and forget.
    containers
        How container steps are run.
    read_cache
        Whether results of earlier runs are used, too.
    """

    def __init__(
        self,
        plan: Plan,
        code: Code,
        templates: Mapping[str, TaskTemplate],
        schedule: Schedule,
        store: Store,
        run: RunFolder,
        packages: Mapping[tuple[str, ...], Path] | None = None,
        cache: Cache | None = None,
        containers: Containers | None = None,
        read_cache: bool = True,
    ) -> None:
        self._tasks = {task.id: task for task in plan.tasks}
        self._templates = templates
        self._items = {
            block.id: TaskTemplate(
                "", "", {"items": to_slot(block.items, code, name="items")}, (), 0
            )
            for block in plan.blocks
            if isinstance(block, Loop)
        }
        self._parameters = {
            name: value_slot(value) or {"const": code.constant(value, name=f"parameter {name!r}")}
            for name, value in schedule.results.parameters.items()
        }
        self._schedule = schedule
        self._store = store
        self._run = run
        self._packages = packages or {}
        self._cache = cache
        self._containers = containers
        self._read_cache = read_cache
        self._keys: dict[str, str] = {}
        self._asked: set[str] = set()
        self._code: Path | None = None
        self._spawn = False
        self._flags: Sequence[str] = ()

    def use(self, code: Path, *, spawn: bool) -> None:
        """Say where the code was written, and whether each process is a fresh interpreter."""
        self._code = code
        self._spawn = spawn
        self._flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]  # noqa: SLF001

    def folder(self, instance: Instance) -> Path:
        return self._run.task(instance.name)

    def spec(self, ready: Ready, attempt: int) -> TaskSpec:
        """The spec of an attempt."""
        instance = ready.instance
        template = self._templates[instance.task]
        if ready.absent:
            kept = {k: v for k, v in template.arguments.items() if k not in ready.absent}
            template = TaskTemplate(
                template.task, template.step, kept, template.outputs, template.arity
            )
        values = _Filling(self, self._schedule.scene(instance))
        record = str(self._run.tasks / instance.name / "record.json")
        return fill(template, values, task=instance.name, attempt=attempt, record=record)

    def order(self, ready: Ready, attempt: int, grant: Grant) -> Message:
        """What to do, without the number of the task."""
        task = self._tasks[ready.instance.task]
        env = dict(task.options.env)
        if grant.gpus:
            env["CUDA_VISIBLE_DEVICES"] = ",".join(grant.gpus)
        order: Message = {
            "spec": _plain(self.spec(ready, attempt)),
            "code": str(self._code),
            "store": str(self._store.folder),
            "verify": self._store.verify,
            "env": env,
        }
        container = self.container(ready, grant)
        if container is not None:
            # Its variables are not for the engine's command.
            env = order["env"] = {}
            order["container"] = container
        extra = self._packages.get(task.options.packages)
        if self._spawn or extra or any(map(read_at_import, env)):
            order |= {"exec": True, "flags": self._flags, "path": str(extra or "")}
        return order

    def container(self, ready: Ready, grant: Grant) -> Message | None:
        """On what terms an instance runs its container; None if it is a function's."""
        if self._containers is None:
            return None
        task = self._tasks[ready.instance.task]
        return self._containers.terms(task, grant, self._run.tasks / ready.instance.name)

    def recall(self, ready: Ready) -> Record | None:
        """The result of an earlier run, if this one would be the same; asked once of each."""
        task, name = self._tasks[ready.instance.task], ready.instance.name
        if self._cache is None or not task.options.cache or name in self._asked:
            return None
        self._asked.add(name)
        key = self._cache.key(task, self.spec(ready, 1))
        if key is None:
            return None
        self._keys[name] = key
        if not self._read_cache:
            return None
        return self._cache.find(key, name, self.folder(ready.instance), time.time())

    def remember(self, record: Record) -> None:
        """Keep what a task has left, for the runs to come, if it asks for that."""
        key = self._keys.get(record.task)
        if key is not None and self._cache is not None and record.status == "succeeded":
            self._cache.keep(key, record, self._run.id, self._run.tasks / record.task)

    def parameter(self, name: str) -> Slot:
        """The slot of a pipeline parameter."""
        return self._parameters[name]

    def item(self, loop: str, position: int, values: Values) -> Slot:
        """The slot of an item that is more than JSON: where it is in what the loop goes over."""
        items = fill(self._items[loop], values).arguments["items"]
        if "pack" in items and not items.get("path"):
            return dict(items["of"][position])
        return {**items, "path": [*items.get("path", ()), position]}


class _Filling:
    """Fills a template with what an instance sees."""

    def __init__(self, workshop: Workshop, place: Place) -> None:
        self._workshop = workshop
        self._place = place

    def output(self, task: str, output: str) -> Slot:
        return _entry_slot(self._place.entry(OutputRef(task, output)))

    def parameter(self, name: str) -> Slot:
        return self._workshop.parameter(name)

    def item(self, loop: str) -> Slot:
        slot = value_slot(self._place.item(loop))
        return slot or self._workshop.item(loop, self._place.within(loop)[-1], self)

    def collected(self, source: Slot, loops: Sequence[str]) -> Slot:
        ref = OutputRef(source["output"], source["name"])
        path = list(source.get("path", ()))
        return _list_slot(self._place.entries(Collected(ref, tuple(loops))), path)

    def choose(self, switch: str, choices: Sequence[Slot]) -> Slot:
        # The choices of the plan and of the template stand in the same order.
        exprs = tuple(_Choice(slot) for slot in choices)
        chosen = self._place.choice(OneOf(switch, exprs))
        assert isinstance(chosen, _Choice)
        return chosen.slot

    def status(self, scope: str) -> Mapping[str, Any]:
        return self._place.status(scope)


class _Choice(Expr):
    """A template slot that stands for the expression it was made from."""

    __slots__ = ("slot",)

    def __init__(self, slot: Slot) -> None:
        self.slot = slot

    def children(self) -> tuple[Expr, ...]:
        return tuple(_outputs(self.slot))


def _outputs(slot: Slot) -> list[Expr]:
    if "output" in slot:
        return [OutputRef(slot["output"], slot["name"])]
    inner = [*slot.get("of", ()), *([slot["collected"]] if "collected" in slot else [])]
    return [ref for item in inner for ref in _outputs(item)]


def _entry_slot(entry: Entry) -> Slot:
    if "native" in entry:
        # Shorter than a visit to the store, and the same value.
        slot = value_slot(entry["native"])
        if slot is not None:
            return slot
    return {"ref": entry["ref"]}


def _list_slot(entries: list[Any], path: list[str | int]) -> Slot:
    items = []
    for entry in entries:
        slot = _list_slot(entry, path) if isinstance(entry, list) else _entry_slot(entry)
        items.append({**slot, "path": path} if path and not isinstance(entry, list) else slot)
    return {"pack": "list", "of": items}


_SPEC = tuple(field.name for field in fields(TaskSpec))
_OUTPUT = tuple(field.name for field in fields(OutputSpec))


def _plain(spec: TaskSpec) -> Message:
    data = {name: getattr(spec, name) for name in _SPEC}
    # dataclasses.asdict copies all below, which takes as long as the rest of an order.
    data["outputs"] = [{name: getattr(out, name) for name in _OUTPUT} for out in spec.outputs]
    return data


def install_code(code: Code, folder: Path) -> Path:
    """Write code below a folder, under the digest of its bytes; nothing if it is there already."""
    digest = hashlib.blake2b(digest_size=16)
    for name, data in sorted(code.files().items()):
        digest.update(f"{name}\0{len(data)}\0".encode())
        digest.update(data)
    target = folder / digest.hexdigest()
    if (target / "index.json").exists():
        return target
    part = folder / f".{target.name}.{os.getpid()}"
    code.write(part)
    try:
        part.rename(target)
    except OSError:
        # Another run has written the same code meanwhile.
        shutil.rmtree(part, ignore_errors=True)
    return target
