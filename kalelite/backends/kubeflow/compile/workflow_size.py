"""How large the Argo Workflow of a compiled pipeline becomes, and what it may be.

Kubernetes keeps a whole Workflow, with the state of every step in it, as one object. Argo stops a
run whose Workflow is over 1 MiB, and compresses the state of the steps before it does; etcd takes
no request over 1.5 MiB. KFP installs nothing that would store the state elsewhere.

A task that runs has six nodes in the state, three with the KFP releases before 2.17, which did not
give each template a retry of its own. Its container, its component and its platform part are in
the arguments of the Workflow once, and in its nodes eight times, or four.
"""

from __future__ import annotations

import bisect
import json
from collections.abc import Iterator, Mapping
from typing import Any

from kalelite.errors import Problem
from kalelite.frozen import frozen
from kalelite.humanize import count
from kalelite.plan.graph import Plan

LIMIT = 1_048_576
"""Bytes that Argo lets a Workflow have."""

RETRYABLE = 43
"""Tasks of a run that KFP can surely retry: it sends the state uncompressed, in one request."""

_FIXED = 9_000
_SPEC_PER_TASK = 1_130
_LEAST_IR = 1_100
"""Compact JSON of a step that takes and gives nothing."""


@frozen
class _Release:
    """What a KFP release adds while a run goes on: bytes of each task, block and artifact, and copies.

    An artifact counts for each pod that takes or leaves it.
    """

    per_task: int
    per_block: int
    copies: float
    per_artifact: int


_RETRYING = _Release(per_task=12_500, per_block=7_000, copies=8, per_artifact=6_000)
_PLAIN = _Release(per_task=6_500, per_block=3_600, copies=4, per_artifact=3_000)
_COMPRESSED = 0.05
"""What is left of the state when Argo has compressed it, and encoded that in base64."""

ITEMS = 3
"""Items of a loop whose number only the run knows."""

MOST_ITEMS = 10_000
"""Beyond this nobody asks how many would fit."""


@frozen
class Estimate:
    """Expected bytes of a Workflow at the end of its run.

    ``spec`` is what is submitted, ``state`` what Argo adds while it runs.
    """

    tasks: int
    spec: int
    state: int

    def problem(self, plan: Plan, size: str) -> Problem:
        """Of a Workflow that is over the limit; ``size`` says how sure its ``{}`` is."""
        steps = len(plan.tasks)
        fitting = self.fitting(steps)
        most = f"{fitting} of them at most" if fitting else "the code alone is too large"
        return Problem(
            f"{count(steps, 'step')} {'makes' if steps == 1 else 'make'} a Workflow of "
            f"{size.format(human(self.stored))}; Argo takes {human(LIMIT)}, {most}",
            "Let steps share pods with pods='few' (--pods few), or with per_pod= of a ParallelFor; or do "
            "more in each step, read large constants from a file or volume, or split the pipeline.",
            plan.where,
        )

    @property
    def whole(self) -> int:
        """Before Argo compresses anything."""
        return self.spec + self.state

    @property
    def stored(self) -> int:
        """As Argo keeps it: the state is compressed where the whole is over the limit."""
        return self.whole if self.whole <= LIMIT else self.compressed

    @property
    def compressed(self) -> int:
        return self.spec + int(_COMPRESSED * self.state)

    def fitting(self, steps: int) -> int:
        """How many of that many steps, all alike, would fit."""
        each = (self.stored - _FIXED) / max(steps, 1)
        return max(0, int((LIMIT - _FIXED) / each))

    @property
    def fits(self) -> bool:
        return self.stored <= LIMIT


def estimate_of(
    pipeline: Mapping[str, Any],
    platform: Mapping[str, Any],
    *,
    retrying: bool = True,
    items: int = ITEMS,
) -> Estimate:
    """Estimate the Workflow of a PipelineSpec and its PlatformSpec.

    ``retrying``: of KFP 2.17, which gives every template a retry as it is shipped. ``items`` are
    those of each loop whose number only the run knows.
    """
    release = _RETRYING if retrying else _PLAIN
    kubernetes = platform.get("platforms", {}).get("kubernetes", {})
    configs = kubernetes.get("deploymentSpec", {}).get("executors", {})
    spec = _FIXED + _length(pipeline) + _length(platform)
    state = 0
    for task, component, times, artifacts in _run(pipeline, pipeline["root"], 1, items):
        label = component.get("executorLabel")
        own = _length(task) + _length({**component, "dag": None})
        if label:
            container = pipeline["deploymentSpec"]["executors"][label]
            own += _length(container) + _length(configs.get(label, {}))
            grown = release.copies * own + release.per_artifact * artifacts
            state += times * int(release.per_task + grown)
        else:
            state += times * int(release.per_block + release.copies / 4 * own)
        spec += _SPEC_PER_TASK
    return Estimate(tasks_in(pipeline), spec, state)


def fitting_items(pipeline: Mapping[str, Any], platform: Mapping[str, Any]) -> int | None:
    """How many items the loops may have whose number only the run knows; None without any."""
    graphs = [pipeline["root"], *pipeline.get("components", {}).values()]
    tasks = [task for graph in graphs for task in graph.get("dag", {}).get("tasks", {}).values()]
    loops = [task["parameterIterator"]["items"] for task in tasks if "parameterIterator" in task]
    if all("raw" in items for items in loops):
        return None
    return bisect.bisect_left(
        range(1, MOST_ITEMS + 1),
        True,
        key=lambda count: not estimate_of(pipeline, platform, items=count).fits,
    )


def _run(
    pipeline: Mapping[str, Any], graph: Mapping[str, Any], times: int, unknown: int
) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any], int, int]]:
    """The tasks that run, their components, and how often: all branches, each loop's items.

    At last how many artifacts each takes and leaves.
    """
    tasks = graph["dag"]["tasks"]
    for task in tasks.values():
        component = pipeline["components"][task["componentRef"]["name"]]
        items = _items(task, unknown)
        sources = task.get("inputs", {}).get("artifacts", {}).values()
        before = [each.get("taskOutputArtifact", {}).get("producerTask") for each in sources]
        artifacts = sum(_items(tasks[name], unknown) if name else 1 for name in before)
        artifacts += len(component.get("outputDefinitions", {}).get("artifacts", {}))
        yield task, component, times, artifacts
        if "dag" in component and task["taskInfo"]["name"] != NEVER:
            yield from _run(pipeline, component, times * items, unknown)


def _items(task: Mapping[str, Any], unknown: int) -> int:
    """How often what is in a task runs."""
    if "parameterIterator" not in task:
        return 1
    raw = task["parameterIterator"]["items"].get("raw")
    return len(json.loads(raw)) if raw else unknown


NEVER = "kalelite-code"
"""The block that is never entered: it holds the code, which so is in the Workflow once."""


def least(steps: int, code_bytes: int = 0) -> Estimate:
    """The smallest Workflow that so many steps can make, before anything is compiled."""
    spec = _FIXED + (_LEAST_IR + _SPEC_PER_TASK) * steps + code_bytes
    return Estimate(steps, spec, steps * _PLAIN.per_task)


def _length(data: Any) -> int:
    return len(json.dumps(data, separators=(",", ":")))


def tasks_in(spec: Mapping[str, Any]) -> int:
    """The number of tasks in an IR, those in sub-DAGs included."""
    graphs = [spec["root"], *spec.get("components", {}).values()]
    return sum(len(graph.get("dag", {}).get("tasks", {})) for graph in graphs)


def human(count: int) -> str:
    """A number of bytes for people: ``812 kB``, ``1.3 MB``."""
    return f"{count / 1e6:.1f} MB" if count >= 1_000_000 else f"{max(count // 1000, 1)} kB"
