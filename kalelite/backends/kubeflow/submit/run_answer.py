"""What the API says of a run: plain data, from the JSON of v2beta1."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from kalelite.frozen import frozen

RunState = Literal["running", "succeeded", "failed", "cancelled"]

_STATES: dict[str, RunState] = {
    "SUCCEEDED": "succeeded",
    "SKIPPED": "succeeded",
    "FAILED": "failed",
    "CANCELED": "cancelled",
}
_NODES = {
    "PENDING": "Pending",
    "RUNNING": "Running",
    "SUCCEEDED": "Succeeded",
    "FAILED": "Failed",
    "SKIPPED": "Skipped",
    "": "Omitted",
}


@frozen
class NodeAnswer:
    """A node of the run's Workflow; ``name`` is the last part of its path, the phase Argo's."""

    name: str
    phase: str
    started: float
    finished: float


@frozen
class RunAnswer:
    """A run. ``account`` is its service account; times are POSIX seconds, 0 for none.

    ``pipeline`` and ``version`` are what was uploaded.
    """

    id: str
    name: str
    state: RunState
    cancelling: bool
    started: float
    finished: float
    nodes: tuple[NodeAnswer, ...]
    account: str = ""


def run_answer(data: Mapping[str, Any]) -> RunAnswer:
    """A run from JSON.

    A run that was terminated ends as FAILED: that it was not its own fault stands in its history.
    """
    history = [entry.get("state") for entry in data.get("state_history", ())]
    state = _STATES.get(str(data.get("state")), "running")
    cancelling = "CANCELING" in (*history, data.get("state"))
    if state == "failed" and cancelling:
        state = "cancelled"
    details = (data.get("run_details") or {}).get("task_details") or ()
    return RunAnswer(
        id=str(data.get("run_id", "")),
        name=str(data.get("display_name", "")),
        state=state,
        cancelling=cancelling,
        started=posix(data.get("created_at")),
        finished=posix(data.get("finished_at")),
        nodes=tuple(map(_node, details)),
        account=str(data.get("service_account", "")),
    )


def _node(data: Mapping[str, Any]) -> NodeAnswer:
    return NodeAnswer(
        name=str(data.get("display_name", "")),
        phase=_NODES.get(str(data.get("state", "")), "Running"),
        started=posix(data.get("start_time")),
        finished=posix(data.get("end_time")),
    )


def posix(text: Any) -> float:
    """A time as Kubernetes and KFP write it; 0 for none, which both write as a year long ago."""
    if not text:
        return 0.0
    try:
        return max(datetime.fromisoformat(str(text)).timestamp(), 0.0)
    except (ValueError, OverflowError):
        return 0.0
