"""From the nodes of a Workflow to the states of a plan's instances: pure functions."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Literal

from kalelite.backends.kubeflow.follow.node_map import place_of
from kalelite.backends.kubeflow.follow.run_nodes import RunNode
from kalelite.engine.transitions import instance_name
from kalelite.frozen import frozen

InstanceState = Literal[
    "waiting", "starting", "running", "succeeded", "failed", "skipped", "not run"
]
_LOOP = re.compile(r"(?:^|/)for-loop-\d+$")
_RULED_OUT: Mapping[str, InstanceState] = {"Skipped": "skipped", "Omitted": "not run"}
_FAILED = ("Failed", "Error")
_Parts = Mapping[str, list[RunNode]]
"""The nodes of one instance: its driver's, its executor's, and those around both."""


@frozen
class Observation:
    """What is known of an instance.

    "starting": a pod of it is there, and has not begun. ``message`` is Argo's about the node that
    matters. ``pod`` is that of the newest attempt; of KFP's driver, if that failed (``driver``).
    ``shared``: other instances run in that pod, too.
    Times are POSIX seconds, 0 for none.
    """

    state: InstanceState
    attempt: int = 1
    started: float = 0.0
    finished: float = 0.0
    message: str = ""
    pod: str = ""
    driver: bool = False
    shared: bool = False


@frozen
class Picture:
    """All instances by name, and how many items each loop has: ``for-2[0]`` is one in another."""

    instances: Mapping[str, Observation]
    loops: Mapping[str, int]


def observe(nodes: Iterable[RunNode], ids: Mapping[str, str]) -> Picture:
    """What the nodes of a run tell; ``ids`` are the tasks and loops by their paths."""
    places: dict[tuple[str, tuple[int, ...]], dict[str, list[RunNode]]] = defaultdict(dict)
    for node in nodes:
        path, index, last = place_of(node.name)
        if path:
            places[path, index].setdefault(last, []).append(node)
    instances: dict[str, Observation] = {}
    items: dict[str, int] = {}
    for (path, index), parts in places.items():
        _count_items(path, index, ids, items)
        if path in ids and not _LOOP.search(path):
            instances[instance_name(ids[path], index)] = _instance(parts)
            continue
        block = _leading(parts.get("", ())) or _leading(parts.get("driver", ()))
        if block is not None and block.phase in _RULED_OUT:
            seen = Observation(_RULED_OUT[block.phase], finished=block.finished)
            below = (id for inner, id in ids.items() if inner.startswith(f"{path}/"))
            for id in below:
                instances.setdefault(instance_name(id, index), seen)
    return Picture(instances, items)


def _count_items(
    path: str, index: tuple[int, ...], ids: Mapping[str, str], items: dict[str, int]
) -> None:
    """Note from the place of a node how far the loops around it go."""
    parts = path.split("/")
    prefixes = ("/".join(parts[:length]) for length in range(1, len(parts) + 1))
    around = [ids[prefix] for prefix in prefixes if prefix in ids and _LOOP.search(prefix)]
    for depth, (loop, position) in enumerate(zip(around, index, strict=False)):
        name = instance_name(loop, index[:depth])
        items[name] = max(items.get(name, 0), position + 1)


def _instance(parts: _Parts) -> Observation:
    pods = _pods(parts.get("executor", ()))
    whole = _leading(parts.get("", ()))
    if pods and pods[-1].phase not in _RULED_OUT:
        return _executed(pods, whole)
    driver = _leading(parts.get("driver", ()))
    newest = next(reversed(_pods(parts.get("driver", ()))), None)
    return _ended(whole, driver, newest) or _begun(whole, driver, newest)


def _ended(
    whole: RunNode | None, driver: RunNode | None, pod: RunNode | None
) -> Observation | None:
    """An instance that has ended without a pod of its own."""
    for node in (whole, driver):
        if node is not None and node.phase in _RULED_OUT:
            return Observation(_RULED_OUT[node.phase], finished=node.finished, message=node.message)
    if driver is not None and driver.phase in _FAILED:
        told = pod or driver
        times = driver.started, driver.finished
        return Observation("failed", 1, *times, told.message, told.pod, driver=True)
    if whole is not None and whole.phase in (*_FAILED, "Succeeded"):
        state: InstanceState = "succeeded" if whole.phase == "Succeeded" else "failed"
        return Observation(state, 1, whole.started, whole.finished, whole.message)
    return None


def _begun(whole: RunNode | None, driver: RunNode | None, pod: RunNode | None) -> Observation:
    """An instance whose driver is at work, or has been; ``pod`` is the driver's."""
    if whole is not None and pod is None:
        return Observation("running", 1, whole.started)  # all that is known without pods
    if pod is None or pod.phase == "Succeeded":
        return Observation("starting" if driver is not None else "waiting")
    return Observation("starting", 1, pod.started, 0.0, pod.message, pod.pod)


def _executed(pods: list[RunNode], whole: RunNode | None) -> Observation:
    """An instance with pods of its own, one for each attempt."""
    newest = pods[-1]
    state: InstanceState = "running"
    if newest.phase == "Pending":
        state = "starting"
    elif newest.phase == "Succeeded":
        state = "succeeded"
    elif newest.phase in _FAILED and (whole is None or whole.phase in _FAILED):
        state = "failed"
    finished = newest.finished if state in {"succeeded", "failed"} else 0.0
    return Observation(state, len(pods), newest.started, finished, newest.message, newest.pod)


def _pods(nodes: Iterable[RunNode]) -> list[RunNode]:
    """The nodes that are pods, the newest attempt last."""
    return sorted((node for node in nodes if node.pod), key=lambda node: node.started)


def _leading(nodes: Iterable[RunNode]) -> RunNode | None:
    """Of a node and its attempts the one that stands for all: the one with the shortest name."""
    return min(nodes, key=lambda node: len(node.name), default=None)
