"""The instances that share a pod, as its log tells of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from kalelite.backends.kubeflow.follow.observing import InstanceState, Observation, Picture
from kalelite.backends.kubeflow.pod.contract import EVENT

_STATES: Mapping[str, InstanceState] = {
    "running": "running",
    "retrying": "running",
    "succeeded": "succeeded",
    "failed": "failed",
    "skipped": "skipped",
    "not run": "not run",
}
_BEGUN = ("running", "succeeded", "failed")
_FINAL = ("succeeded", "skipped", "not run")


class SharedLogs:
    """Reads the logs of shared pods, those that have ended once only.

    ``pods`` has the tasks in each, in an order in which they can run; ``log`` reads what a pod
    has printed, None where it cannot be read. ``unknown`` are the tasks whose pod has failed without
    a log: which of them have run nobody tells.
    """

    def __init__(self, pods: Mapping[str, Sequence[str]], log: Callable[[str], str | None]) -> None:
        self._pods = pods
        self._log = log
        self.unknown: set[str] = set()
        self._ended: dict[str, str] = {}
        self._texts: dict[str, str] = {}

    def text(self, pod: str) -> str | None:
        """What a pod has printed, when it was looked at last."""
        return self._texts.get(pod)

    def resolve(self, picture: Picture) -> Picture:
        """The picture with the instances in shared pods in the place of those pods."""
        self._texts = dict(self._ended)
        instances: dict[str, Observation] = {}
        loops = dict(picture.loops)
        for name, seen in picture.instances.items():
            id, bracket, rest = name.partition("[")
            tasks = self._pods.get(id)
            if tasks is None:
                instances[name] = seen
                continue
            events = list(_events(self._read(seen)))
            found = _told(events, seen)
            loops.update((one["loop"], int(one["count"])) for one in events if "loop" in one)
            if not found and seen.state == "failed":
                found = {name: seen}
                self.unknown.update(tasks)
            elif not found:
                # Its log cannot be read, or it has not begun; one stands for all where they wait.
                some = tasks if seen.state in _FINAL else tasks[:1]
                found = {f"{task}{bracket}{rest}": seen for task in some}
            instances.update(found)
        return Picture(instances, loops)

    def _read(self, seen: Observation) -> str:
        if not seen.pod or seen.state not in _BEGUN:
            return ""
        if seen.pod not in self._texts:
            text = self._texts[seen.pod] = self._log(seen.pod) or ""
            if seen.state != "running" and text:
                self._ended[seen.pod] = text
        return self._texts[seen.pod]


def lines_of(name: str, log: str) -> str:
    """What an instance has printed, from the log of its pod."""
    prefix = f"{name} | "
    lines = log.splitlines(keepends=True)
    return "".join(line.removeprefix(prefix) for line in lines if line.startswith(prefix))


def _told(events: Iterable[Mapping[str, Any]], pod: Observation) -> dict[str, Observation]:
    """The instances that a log tells of; one that was running when its pod failed has failed."""
    found: dict[str, Observation] = {}
    for event in events:
        state = _STATES.get(str(event.get("state")))
        if state is None:
            continue
        name, at = str(event["task"]), float(event["at"])
        before = found.get(name, Observation("waiting", pod=pod.pod, shared=True))
        found[name] = replace(
            before,
            state=state,
            attempt=int(event.get("attempt", before.attempt)),
            started=at if event["state"] == "running" else before.started or at,
            finished=at if state in ("succeeded", "failed") else 0.0,
        )
    for name, one in found.items():
        if one.state == "running" and pod.state == "failed":
            found[name] = replace(one, state="failed", finished=pod.finished, message=pod.message)
    return found


def _events(log: str) -> Iterator[Mapping[str, Any]]:
    for line in log.splitlines():
        if line.startswith(EVENT):
            with suppress(ValueError):
                yield json.loads(line.removeprefix(EVENT))
