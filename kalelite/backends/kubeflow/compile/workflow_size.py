"""How large the Argo Workflow of a compiled pipeline becomes, and what it may be.

Kubernetes keeps a whole Workflow, with the state of every step in it, as one object. Argo stops a
run whose Workflow is over 1 MiB after it has compressed the state of the steps; etcd takes no
request over 1.5 MiB. KFP installs nothing that would store the state elsewhere.

The constants of `estimate` are fitted to the 147 pairs of compiled pipeline and Argo Workflow in
KFP's own tests (release 2.17): nine in ten come out within 11 %. The driver's input and output and
the executor's two inputs hold a task's container, and so the code, again; these copies do not
shrink, for they are compressed already, and farther apart than gzip looks back.

The estimate is meant to be kind rather than strict: a flat pipeline of 56 tasks ended with some
35 kB of state for each, before compression, so that KFP could not retry it (KFP issue 13738);
`_STATE_PER_TASK` takes what is left of that when compressed. So some 200 flat steps are what KFP
can be trusted with, and ParallelFor is the way to more: its body is in the Workflow once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kalelite.errors import Problem
from kalelite.frozen import frozen
from kalelite.plan.graph import Plan

LIMIT = 1_048_576
"""Bytes that Argo lets a Workflow have."""

RETRYABLE = 43
"""Tasks of a run that KFP can surely retry: it sends the state uncompressed, in one request."""

SMALLEST_CODE = 72_000
"""Base64 characters of a bundle at the least."""

_FIXED = 8_200
_PER_IR_BYTE = 1.16
_PER_TASK = 1_130
_STATE_PER_TASK = 800
_COPIES_OF_CODE = 4
_LEAST_IR = 750
"""Compact JSON of a step that takes and gives nothing."""


@frozen
class Estimate:
    """Expected bytes of a Workflow at the end of its run.

    ``spec`` is what is submitted, ``state`` what Argo adds while it runs, ``code`` the part of
    both that is the bundle.
    """

    tasks: int
    spec: int
    state: int
    code: int

    def problem(self, plan: Plan, size: str) -> Problem:
        """Of a Workflow that is over the limit; ``size`` says how sure its ``{}`` is."""
        steps = len(plan.tasks)
        code = f", {human(self.code)} of it for the code" if self.code else ""
        return Problem(
            f"{steps} steps make a Workflow of {size.format(human(self.total))}{code}; "
            f"Argo takes {human(LIMIT)}, {self.fitting(steps)} of them at most",
            "Use ParallelFor for steps that repeat, do more in each step, or split the pipeline.",
            plan.where,
        )

    @property
    def total(self) -> int:
        return self.spec + self.state

    def fitting(self, steps: int) -> int:
        """How many of that many steps, all alike, would fit."""
        fixed = _FIXED + self.code
        return max(0, int(steps * (LIMIT - fixed) / (self.total - fixed)))

    @property
    def fits(self) -> bool:
        return self.total <= LIMIT


def estimate(spec_bytes: int, tasks: int, code_bytes: int = 0) -> Estimate:
    """Estimate a Workflow.

    ``spec_bytes`` is the size of the IR as compact JSON, the platform part included, ``tasks`` the
    number of tasks and blocks, and ``code_bytes`` that of base64 characters of the bundle in it.
    """
    spec = _FIXED + int(_PER_IR_BYTE * spec_bytes) + _PER_TASK * tasks
    state = _STATE_PER_TASK * tasks + _COPIES_OF_CODE * code_bytes
    return Estimate(tasks, spec, state, (_COPIES_OF_CODE + 1) * code_bytes)


def least(steps: int, code_bytes: int = 0) -> Estimate:
    """The smallest Workflow that so many steps can make, before anything is compiled."""
    return estimate(_LEAST_IR * steps + code_bytes, steps, code_bytes)


def tasks_in(spec: Mapping[str, Any]) -> int:
    """The number of tasks in an IR, those in sub-DAGs included."""
    graphs = [spec["root"], *spec.get("components", {}).values()]
    return sum(len(graph.get("dag", {}).get("tasks", {})) for graph in graphs)


def human(count: int) -> str:
    """A number of bytes for people: ``812 kB``, ``1.3 MB``."""
    return f"{count / 1e6:.1f} MB" if count >= 1_000_000 else f"{max(count // 1000, 1)} kB"
