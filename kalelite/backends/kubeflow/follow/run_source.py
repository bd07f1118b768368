"""Where the state of a run is read: its Workflow in Kubernetes, or what KFP's API tells of it.

The API's answer about a run is small, and tells the states of tasks but not where in a loop they
stand; the Workflow tells all, and is large. So the second is asked for when it has something to
tell, and as often as `Pace` allows.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from kalelite.backends.kubeflow.follow.observing import Observation, Picture, observe
from kalelite.backends.kubeflow.follow.run_nodes import RunNodes, flat_nodes, run_nodes
from kalelite.errors import ClusterError
from kalelite.frozen import frozen

if TYPE_CHECKING:
    from kalelite.backends.kubeflow.submit.kfp_service import KfpService
    from kalelite.backends.kubeflow.submit.run_answer import RunAnswer

RATE = 4000.0
"""Bytes a second that following may take on average."""

_SHORTEST, _LONGEST = 2.0, 60.0
_PER_NODE = 340
"""Bytes that a node of a Workflow takes on its way from Kubernetes, which compresses it."""

_GOING_ON = {"", "Pending", "Running"}
_RANK = ("waiting", "starting", "running")


class Workflows(Protocol):
    """What reads a run's Workflow in Kubernetes."""

    def workflow(self, run: str) -> Mapping[str, Any] | None:
        """Its JSON, None if there is none; raises `ClusterError` where it may not be read."""


@frozen
class Sighting:
    """What is known of a run at one time.

    ``trouble`` is what the Workflow itself says about its end, ``root_driver`` the pod of KFP's own
    that has failed before any step; ``complete`` whether its nodes were read.
    """

    run: RunAnswer
    picture: Picture
    trouble: str = ""
    complete: bool = False
    root_driver: str = ""


class RunSource:
    """Looks at one run. ``ids`` are the tasks and loops by the paths of their nodes."""

    def __init__(
        self,
        service: KfpService,
        run: str,
        ids: Mapping[str, str],
        workflows: Workflows | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._service = service
        self._run = run
        self._ids = ids
        self._flat = _flat(ids)
        self._workflows = workflows
        self._clock = clock
        self._begun = clock()
        self._manifest_size = 0
        self._manifest_at = float("-inf")
        self._last: RunNodes | None = None
        self._answer: RunAnswer | None = None
        self._read = 0

    def look(self, *, wanted: bool = False) -> Sighting:
        """The state now; with ``wanted`` the Workflow is asked for as soon as may be.

        Raises `ClusterError` if nobody answers.
        """
        nodes, fresh = self._in_cluster()
        if self._answer is None or nodes is None or nodes.phase not in _GOING_ON:
            self._answer = self._service.run(self._run)
        answer = self._answer
        if nodes is None:
            nodes, fresh = self._of_kfp(at_once=answer.state != "running", wanted=wanted)
        self._last = nodes or self._last
        picture = observe(self._last.nodes if self._last else (), self._ids)
        if not fresh:
            picture = _later(picture, observe(flat_nodes(answer.nodes), self._flat))
        if self._last is not None and self._last.stopped and answer.state == "failed":
            answer = _cancelled(answer)
        trouble = self._last.message if self._last is not None else ""
        root_driver = self._last.broken_root_driver if self._last is not None else ""
        return Sighting(answer, picture, trouble, fresh, root_driver)

    @property
    def kept(self) -> int:
        """Seconds after its end in which the run's Workflow is there; 0 if nobody has told."""
        return self._last.kept if self._last else 0

    def pause(self, quiet: int) -> float:
        """Seconds until the next look, after so many looks that have shown nothing new."""
        spent = (self._service.received + self._read) / RATE
        behind = spent - (self._clock() - self._begun)
        calm = min(_SHORTEST * 1.25**quiet, 10.0)
        return min(max(calm, behind), _LONGEST)

    def _in_cluster(self) -> tuple[RunNodes | None, bool]:
        if self._workflows is None:
            return None, False
        try:
            found = self._workflows.workflow(self._run)
        except ClusterError:
            self._workflows = None  # it may not be read: KFP tells, too
            return None, False
        if found is None:
            return None, False
        nodes = run_nodes(found)
        self._read += _PER_NODE * len(nodes.nodes)
        return nodes, True

    def _of_kfp(self, *, at_once: bool, wanted: bool) -> tuple[RunNodes | None, bool]:
        age = self._clock() - self._manifest_at
        due = self._manifest_size / RATE
        if not (at_once or age > (due if wanted else 3 * due + 10)):
            return None, False
        before = self._service.received
        try:
            nodes = run_nodes(self._service.manifest(self._run))
        except ClusterError:
            if not at_once:
                return None, False
            nodes = RunNodes("", "", "", False, ())
        self._manifest_size = self._service.received - before
        self._manifest_at = self._clock()
        return (nodes, True) if nodes.nodes else (None, False)


def _flat(ids: Mapping[str, str]) -> dict[str, str]:
    """The tasks that their own name tells from all others: those in no loop."""
    single = {path: id for path, id in ids.items() if "for-loop-" not in path}
    last = [path.rpartition("/")[2] for path in ids]
    return {
        name: id for path, id in single.items() if last.count(name := path.rpartition("/")[2]) == 1
    }


def _later(one: Picture, other: Picture) -> Picture:
    """Of two pictures for each instance what is further on; only the first knows of pods.

    Where it knows of some, what the other takes for running may still wait for its pod.
    """
    instances = dict(one.instances)
    for name, told in other.instances.items():
        waits = told.state == "running" and bool(one.instances)
        seen = replace(told, state="starting") if waits else told
        before = instances.get(name)
        if before is None or _rank(seen) > _rank(before):
            instances[name] = seen
    return Picture(instances, one.loops)


def _rank(seen: Observation) -> int:
    return _RANK.index(seen.state) if seen.state in _RANK else len(_RANK)


def _cancelled(answer: RunAnswer) -> RunAnswer:
    return replace(answer, state="cancelled", cancelling=True)
