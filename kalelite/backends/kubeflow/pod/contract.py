"""What a pod is given about its task: an entry of the bundle's ``tasks.json``.

The compiler writes it, the pod reads it, and it is plain JSON: these types are all that the two
have to agree on.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

Reading = Literal["value", "text", "slot", "index", "file"]
"""How the pod reads an input of KFP: as KFP has it; a pipeline parameter from its text; a loop item
from the text of a slot, or from its index among constants; the path of a file."""

Form = Literal["native", "items", "batches"]
"""How KFP gets an output: as a primitive, as a list of the texts of slots, over which a loop goes, or
as the numbers of the batches of such a list. Everything else is in the records, where the tasks themselves read it."""

Reader = Literal["", "kfp", "container"]
"""Who reads a primitive output: no one but people, KFP for a condition or loop, or the command of
a container."""

EVENT = "kalelite-event "
"""How a line of a shared pod's log begins that says how the state of an instance has changed."""

NOTHING = '{"nothing":true}'
"""The item that stands for an empty list; steps in such a loop are skipped."""

RECORD = "kalelite-record "
"""How the line of a pod's log begins that holds a step's record, for who follows the run."""


class InputPort(TypedDict):
    """An input that KFP brings.

    ``symbol`` is what `kalelite.executor.template` calls the input, as ``["item", "<loop>"]``;
    ``name`` and ``type`` are those of the KFP parameter. The others are there for some inputs only:
    the name of the constant that holds a loop's items, of the one that holds a parameter's
    annotation, and the tasks whose end a status is about.
    """

    symbol: list[Any]
    name: str
    type: str
    reading: Reading
    items: NotRequired[str]
    convert: NotRequired[str]
    tasks: NotRequired[list[str]]


class OutputPort(TypedDict):
    """A KFP parameter, by ``name`` and ``type``, that is written from the step's ``output``.

    ``size`` is that of a batch. ``empty`` is what becomes of an empty list from whose loop KFP is to
    collect artifacts, for it fails over nothing: an item stands for it, or it is refused.
    """

    output: str
    form: Form
    name: str
    type: str
    reader: Reader
    size: NotRequired[int]
    empty: NotRequired[Literal["stood for", "refused"]]


class Terms(TypedDict):
    """How a step is tried: seconds, bytes with 0 for no bound, and the fields of its `Retries`."""

    timeout: float | None
    memory: int
    retries: dict[str, Any] | None


class Need(TypedDict):
    """A task that has to have gone well; the instances that count share so many loops with this.

    With ``skips``, it is there to say that a condition was false: where it ran, this is skipped.
    """

    task: str
    shared: int
    skips: bool


class Sources(TypedDict):
    """Where the values are that a task finds by records.

    ``depths`` has how many loops stand around the task itself and around each task whose values it
    takes; ``counts`` what the loops go over that it collects from: a number of items, or a slot.
    """

    depths: dict[str, int]
    counts: dict[str, Any]


class Recalling(TypedDict):
    """Whose results stand for those of a task.

    ``key`` has the fields of its `kalelite.executor.task_key.TaskKey`, None if its results cannot
    be told from others; with ``runs`` it takes that of its own name, whatever changed. Versions of
    packages and contents of files are empty in it: only the pod knows them. ``kept``: its results
    are kept for all runs to come; ``taken``: such a result is taken. ``runs`` are those that the
    run goes on from, by the ids of their records, latest first.
    """

    key: dict[str, Any] | None
    kept: bool
    taken: bool
    runs: list[str]


class TaskManifest(Sources):
    """A task.

    ``template`` is the JSON of a `kalelite.executor.spec.TaskSpec` to be filled.
    ``tolerant``: it runs without the values of tasks that have failed. ``hidden``: KFP is not told
    of its failure, for something runs all the same. ``verdict`` are tasks whose failures this one
    tells KFP of, and does nothing else. ``gives`` are the artifacts that are to hold its values.
    """

    template: dict[str, Any]
    terms: Terms
    inputs: list[InputPort]
    outputs: list[OutputPort]
    needs: list[Need]
    tolerant: bool
    hidden: bool
    verdict: list[str]
    recalling: Recalling
    gives: list[str]


class PodManifest(TypedDict):
    """A pod that several tasks share, each with a manifest of its own.

    ``depth`` is how many loops stand around it; ``items`` has the name of the current item for the
    loops in it. ``serial``: its tasks run one after the other, for each was promised what the whole
    pod has. ``batch``: it does a batch of the items of a loop, of so many. ``gives``: as of a task.
    """

    depth: int
    items: dict[str, str]
    serial: bool
    gives: list[str]
    batch: NotRequired[tuple[str, int]]
