"""What a schedule decides, and how tasks ended: plain data between it and what runs them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import Enum

from kalelite.authoring.events import Event
from kalelite.executor.spec import OutputEntry
from kalelite.frozen import frozen

Index = tuple[int, ...]


class NodeState(Enum):
    """How a node ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"
    NOT_RUN = "not run"
    CANCELLED = "cancelled"


@frozen
class Instance:
    """One execution of a task: ``index`` is its place in the loops around it, outermost first."""

    task: str
    index: Index = ()

    @property
    def name(self) -> str:
        """The name that people see: ``train``, ``train[3]``, ``train[3][0]``."""
        return instance_name(self.task, self.index)


@frozen
class Outcome:
    """How an instance ended: "succeeded", "failed" or "cancelled", and what it left behind."""

    state: str
    outputs: Mapping[str, OutputEntry] = field(default_factory=dict)
    message: str = ""


@frozen
class Ready:
    """An instance may start. ``defaulted`` are arguments left to the function's own defaults."""

    instance: Instance
    defaulted: tuple[str, ...] = ()


Transition = Ready | Event
"""What may start, or what else has come of a change: skipped tasks, a loop's items, a note."""


@frozen
class NodeResult:
    """How a node ended and why; ``root_cause`` is the instance whose failure is behind it."""

    state: NodeState
    reason: str = ""
    root_cause: str = ""
    message: str = ""


def instance_name(id: str, index: Index) -> str:
    """A task or block with its place in the loops around it: ``train[3][0]``."""
    return id + "".join(f"[{position}]" for position in index)
