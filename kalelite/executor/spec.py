"""What one task needs to run anywhere, as plain JSON: its `TaskSpec`, and the `Record` it leaves.

An argument is a *slot*, a small JSON tree:

    {"value": 3}                        a JSON primitive: None, bool, int, finite float, str;
                                        with ``secret`` it is not to be recorded, as any slot
    {"const": "<name>"}                 a pickled constant that travels with the code
    {"ref": "<reference>", "path": []}  a value in the marshal store, or a part of it; ``from``
                                        names the output, for equal values are not one object
    {"pack": "list", "of": [slot, …]}   also "tuple"
    {"pack": "dict", "keys": [slot, …], "of": [slot, …]}
    {"pack": "named", "type": slot, "of": [slot, …]}   a NamedTuple; type is a const
    {"status": {...}}                   how an exit scope ended

This module imports the standard library only: it travels with the steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, NotRequired, TypedDict

from kalelite.frozen import frozen

Slot = dict[str, Any]


class OutputEntry(TypedDict):
    """An output as a record holds it.

    ``native`` is the value itself, where it is promised and fits into JSON; ``not_native`` is
    why it does not fit. ``size`` is in bytes.
    """

    ref: str
    type: NotRequired[str]
    size: NotRequired[int]
    preview: NotRequired[str]
    native: NotRequired[Any]
    not_native: NotRequired[str]


@frozen
class OutputSpec:
    """An output to store: as `kalelite.plan.graph.Output`."""

    name: str
    index: int | None = None
    native: str | None = None
    optional: bool = False


@frozen
class TaskSpec:
    """All that one task needs, apart from the code and the store that it is pointed at.

    ``task`` names the instance (``train``, ``train-2``, ``train[3]`` inside a loop); ``step``
    names the function in the code bundle. ``record`` is where the record is committed. ``place``
    tells the instances of a task apart where ``task`` does not.
    """

    task: str
    step: str
    arguments: Mapping[str, Slot] = field(default_factory=dict)
    outputs: tuple[OutputSpec, ...] = ()
    arity: int | None = None
    attempt: int = 1
    record: str = ""
    place: str = ""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TaskSpec:
        """The spec from the JSON of its `fields_of`."""
        outputs = tuple(OutputSpec(**output) for output in data["outputs"])
        return cls(**{**data, "outputs": outputs})


@frozen
class Frame:
    """One frame of the user's traceback."""

    file: str
    line: int
    function: str
    text: str = ""
    column: int | None = None
    end_column: int | None = None


@frozen
class FailureReport:
    """Why a task failed, as plain text and numbers.

    ``type`` is the exception's qualified name; ``frames`` are the user's frames, outermost
    first; ``traceback`` is the full text; ``cause`` is the exception behind this one. ``bases``
    are the names of its class and of those that it derives from. ``raised`` refers to the
    exception itself in the store, if it could be saved.
    """

    type: str
    message: str
    frames: tuple[Frame, ...] = ()
    traceback: str = ""
    hint: str = ""
    cause: FailureReport | None = None
    bases: tuple[str, ...] = ()
    raised: str = ""


@frozen
class Record:
    """What a task leaves behind, committed atomically and last.

    ``status`` is "succeeded" or "failed". ``outputs`` are by name. ``started`` and ``finished``
    are POSIX times in seconds. ``cached`` is the run that computed it, if that was an earlier one.
    ``inputs`` are the arguments, as of `kalelite.executor.task_key.inputs_of`. ``parts`` are those
    of its key that were known only where it ran.
    """

    task: str
    status: str
    attempt: int = 1
    outputs: Mapping[str, OutputEntry] = field(default_factory=dict)
    failure: FailureReport | None = None
    metrics: tuple[Mapping[str, Any], ...] = ()
    artifacts: tuple[Mapping[str, Any], ...] = ()
    started: float = 0.0
    finished: float = 0.0
    versions: Mapping[str, str] = field(default_factory=dict)
    cached: str = ""
    inputs: Mapping[str, Slot] = field(default_factory=dict)
    parts: Mapping[str, str] = field(default_factory=dict)


def fields_of(item: Any) -> dict[str, Any]:
    """The fields of an object of this module by name: what a JSON encoder takes for its ``default``."""
    return {name: getattr(item, name) for name in item.__slots__}
