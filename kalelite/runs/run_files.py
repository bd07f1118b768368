"""What stands in the files of a run's record: ``run.json`` and the lines of ``events.jsonl``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal, NotRequired, TypedDict

from kalelite.plan.options.secrecy import masked


class ProcessData(TypedDict):
    """The process that runs it: pids are used again, so ``born`` tells two of them apart."""

    pid: int
    host: str
    born: str


class TaskData(TypedDict):
    """A task of the plan. ``parent`` is the block that it stands in, empty for none.

    ``cache`` is whether its results are kept for all runs to come.
    """

    id: str
    step: str
    kind: Literal["step", "container"]
    outputs: list[str]
    parent: str
    cache: bool


class StartData(TypedDict):
    """How a run was started, so that it can be started again.

    ``words`` are what followed the command's name, empty where plain Python ran the script.
    ``script`` is the path of ``__main__``, empty where it has none, as in a notebook; ``module`` its
    name if it was run as one, ``arguments`` its own, ``folder`` the current one.
    """

    words: list[str]
    script: str
    module: str
    arguments: list[str]
    folder: str


class KfpData(TypedDict):
    """Where a run on Kubeflow Pipelines is.

    ``run`` is its id there, empty until it is known; ``name`` what it is called. ``host`` and
    ``context`` are the settings by which the API was reached; empty is not given. ``nodes`` are the
    ids of tasks and loops by the paths of their nodes, none where only the API knows them;
    ``loops`` the innermost loop around each task that is in one, ``batches`` the loops over batches
    of items, ``pods`` the tasks in each pod that several share. ``home`` is the folder of kalelite
    in the pods, on the ``claim``, which is empty where a task of the run made it, named like the
    Workflow; ``records`` is the id under which the pods keep their records, empty for that of KFP.
    ``image``, ``user`` and ``group`` are those of the steps, the last two -1 for those of the image.
    ``passing``: the volume with the values goes with the run, at the POSIX time ``until`` if known.
    """

    run: str
    name: str
    host: str
    context: str
    namespace: str
    experiment: str
    nodes: dict[str, str]
    loops: NotRequired[dict[str, str]]
    batches: NotRequired[list[str]]
    pods: NotRequired[dict[str, list[str]]]
    home: str
    claim: str
    records: str
    image: str
    user: int
    group: int
    passing: NotRequired[bool]
    until: NotRequired[float]


class RunDetails(TypedDict, total=False):
    """What may be added to ``run.json`` later.

    ``code`` is a path below the home. ``resumes`` is the run that this one goes on from. ``reuse``
    is false where the results of earlier runs were not to be used, ``fresh`` are the steps that
    were to run anew, ``given`` the tasks whose values were taken from a named run, ``given_by``,
    whatever changed.
    """

    state: str
    finished: float
    backend: str
    code: str
    url: str | None
    kfp: KfpData
    start: StartData
    resumes: str
    reuse: bool
    fresh: list[str]
    given: list[str]
    given_by: str


class KeptData(TypedDict):
    """A line of ``kept.jsonl``: the record of an instance that was taken, as JSON, and when."""

    at: float
    record: dict[str, Any]


class KeyData(TypedDict):
    """A task in ``keys.json``: a `kalelite.executor.task_key.TaskKey`, its parts by their digest."""

    parts: str
    lineage: str
    constants: dict[str, str]
    first: str | None
    sources: dict[str, list[str]]


class KeysData(TypedDict):
    """``keys.json``: what the results of the tasks depend on, by the tasks' ids."""

    parts: dict[str, dict[str, str]]
    tasks: dict[str, KeyData]


class RunData(RunDetails):
    """``run.json``. Times are POSIX seconds.

    ``state`` is "running", "succeeded", "failed" or "interrupted"; ``parameters`` holds JSON, and
    the repr of what JSON does not have.
    """

    id: str
    pipeline: str
    started: float
    process: ProcessData
    parameters: dict[str, Any]
    experiment: str | None
    tasks: list[TaskData]


class EventDetails(TypedDict, total=False):
    """What an event may have. ``wait`` is in seconds, ``peak`` in bytes."""

    attempt: int
    reason: str
    wait: float
    peak: int


class EventData(EventDetails):
    """A line of ``events.jsonl``: a task's state changed at a time in POSIX seconds."""

    at: float
    task: str
    state: str


def plain_parameters(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as ``run.json`` gives them back: JSON, the repr of what JSON does not have, no secrets."""
    return {name: masked(name, _plain(value)) for name, value in values.items()}


def _plain(value: Any) -> Any:
    try:
        return json.loads(json.dumps(value))
    except (TypeError, ValueError):
        return repr(value)
