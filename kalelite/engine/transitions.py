"""What a schedule decides, and how tasks ended: plain data between it and what runs them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from kalelite.executor.spec import OutputEntry

__all__ = [
    "EvaluationFailed",
    "Index",
    "Instance",
    "LoopExpanded",
    "NodeResult",
    "NodeState",
    "Outcome",
    "Ready",
    "Skipped",
    "Transition",
    "instance_name",
]

Index = tuple[int, ...]


class NodeState(Enum):
    """How a node ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"
    NOT_RUN = "not run"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Instance:
    """One execution of a task: ``index`` is its place in the loops around it, outermost first."""

    task: str
    index: Index = ()

    @property
    def name(self) -> str:
        """The name that people see: ``train``, ``train[3]``, ``train[3][0]``."""
        return instance_name(self.task, self.index)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an instance ended: "succeeded", "failed" or "cancelled", and what it left behind."""

    state: str
    outputs: Mapping[str, OutputEntry] = field(default_factory=dict)
    message: str = ""


@dataclass(frozen=True, slots=True)
class Ready:
    """An instance may start. ``defaulted`` are arguments left to the function's own defaults."""

    instance: Instance
    defaulted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Skipped:
    """A task will not run; ``status`` is "skipped" or "not run"."""

    name: str
    status: str
    reason: str


@dataclass(frozen=True, slots=True)
class LoopExpanded:
    """The number of items of a loop is known."""

    loop: str
    count: int


@dataclass(frozen=True, slots=True)
class EvaluationFailed:
    """A condition or the items of a loop could not be evaluated; the run fails."""

    block: str
    message: str


Transition = Ready | Skipped | LoopExpanded | EvaluationFailed


@dataclass(frozen=True, slots=True)
class NodeResult:
    """How a node ended and why; ``root_cause`` is the instance whose failure is behind it."""

    state: NodeState
    reason: str = ""
    root_cause: str = ""
    message: str = ""


def instance_name(id: str, index: Index) -> str:
    """A task or block with its place in the loops around it: ``train[3][0]``."""
    return id + "".join(f"[{position}]" for position in index)
