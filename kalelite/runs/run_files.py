"""What stands in the files of a run's record: ``run.json`` and the lines of ``events.jsonl``."""

from __future__ import annotations

from typing import Any, Literal, TypedDict


class ProcessData(TypedDict):
    """The process that runs it: pids are used again, so ``born`` tells two of them apart."""

    pid: int
    host: str
    born: str


class TaskData(TypedDict):
    """A task of the plan. ``parent`` is the block that it stands in, empty for none."""

    id: str
    step: str
    kind: Literal["step", "container"]
    outputs: list[str]
    parent: str


class KfpData(TypedDict):
    """Where a run on Kubeflow Pipelines is.

    ``run`` is its id there, empty until it is known; ``name`` what it is called. ``host`` and
    ``context`` are the settings by which the API was reached; empty is not given. ``nodes`` are the
    ids of tasks and loops by the paths of their nodes. ``home`` is the folder of kalelite in the
    pods, on the lasting ``claim``, which is empty where the volume is the run's own.
    """

    run: str
    name: str
    host: str
    context: str
    namespace: str
    experiment: str
    nodes: dict[str, str]
    home: str
    claim: str


class RunDetails(TypedDict, total=False):
    """What may be added to ``run.json`` later. ``code`` is a path below the home."""

    state: str
    finished: float
    backend: str
    code: str
    url: str | None
    kfp: KfpData


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
