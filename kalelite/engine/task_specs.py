"""What an instance of a task is given: its template, filled from what has come out so far."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from kalelite.capture.code import Code
from kalelite.engine.results import ResultsView
from kalelite.engine.schedule import Schedule
from kalelite.engine.task_templates import parameter_slot, to_slot
from kalelite.engine.transitions import Ready
from kalelite.executor.spec import OutputEntry, Slot, TaskSpec
from kalelite.executor.template import Values, fill, fill_slot, value_slot
from kalelite.plan.graph import Collected, Loop, OutputRef, Plan


class TaskSpecs:
    """Makes the specs of a run's instances.

    All constants of the plan's arguments are added to the code when this is made, and the
    parameters that are more than JSON: so their classes are those of the steps.
    """

    def __init__(
        self, plan: Plan, code: Code, templates: Mapping[str, TaskSpec], schedule: Schedule
    ) -> None:
        self._templates = templates
        self._items = {
            block.id: to_slot(block.items, code, name="items")
            for block in plan.blocks
            if isinstance(block, Loop)
        }
        self.parameters = {
            name: parameter_slot(name, value, code)
            for name, value in schedule.results.parameters.items()
        }
        self._schedule = schedule

    def shared(self) -> list[Slot]:
        """The slots that any argument may be filled with: those of parameters and of loops' items."""
        return [*self.parameters.values(), *self._items.values()]

    def spec(self, ready: Ready, attempt: int, record: str) -> TaskSpec:
        """The spec of an attempt; ``record`` is where its record goes."""
        instance = ready.instance
        template = self._templates[instance.task]
        if ready.defaulted:
            given = {k: v for k, v in template.arguments.items() if k not in ready.defaulted}
            template = replace(template, arguments=given)
        values = _Filling(self, self._schedule.view(instance.task, instance.index))
        return fill(template, values, task=instance.name, attempt=attempt, record=record)

    def item(self, loop: str, position: int, values: Values) -> Slot:
        """The slot of an item that is more than JSON: where it is in what the loop goes over."""
        items = fill_slot(self._items[loop], values)
        if "pack" in items and not items.get("path"):
            return dict(items["of"][position])
        return {**items, "path": [*items.get("path", ()), position]}


class _Filling:
    """What the slots of one instance's template stand for."""

    def __init__(self, specs: TaskSpecs, view: ResultsView) -> None:
        self._specs = specs
        self._view = view

    def output(self, task: str, output: str) -> Slot:
        return _entry_slot(self._view.entry(OutputRef(task, output)), task, output)

    def parameter(self, name: str) -> Slot:
        return self._specs.parameters[name]

    def item(self, loop: str) -> Slot:
        slot = value_slot(self._view.item(loop))
        return slot or self._specs.item(loop, self._view.within(loop)[-1], self)

    def collected(self, source: Slot, loops: Sequence[str]) -> Slot:
        ref = OutputRef(source["output"], source["name"])
        path = list(source.get("path", ()))
        return _list_slot(
            self._view.entries(Collected(ref, tuple(loops))), path, ref.task, ref.output
        )

    def choose(self, switch: str, choices: Sequence[Slot]) -> Slot:
        # The choices of the plan and of the template stand in the same order.
        return choices[self._view.taken(switch, [_tasks_of(slot) for slot in choices])]

    def status(self, scope: str) -> Mapping[str, Any]:
        return self._view.status(scope)


def _tasks_of(slot: Slot) -> Iterator[str]:
    """The tasks whose outputs a template slot takes."""
    if "output" in slot:
        yield slot["output"]
    for inner in (*slot.get("of", ()), *([slot["collected"]] if "collected" in slot else [])):
        yield from _tasks_of(inner)


def _entry_slot(entry: OutputEntry, task: str, output: str) -> Slot:
    if "native" in entry and not isinstance(entry["native"], list | dict):
        # Shorter than a visit to the store, and the same value; what can be changed is one object.
        slot = value_slot(entry["native"])
        if slot is not None:
            return slot
    return {"ref": entry["ref"], "from": f"{task}.{output}"}


def _list_slot(entries: list[Any], path: list[str | int], task: str, output: str) -> Slot:
    def one(number: int, entry: Any) -> Slot:
        item = f"{task}[{number}]"
        if isinstance(entry, list):
            return _list_slot(entry, path, item, output)
        if entry is None:  # an item that skipped the task
            return {"value": None}
        slot = _entry_slot(entry, item, output)
        return {**slot, "path": path} if path else slot

    return {"pack": "list", "of": [one(*each) for each in enumerate(entries)]}
