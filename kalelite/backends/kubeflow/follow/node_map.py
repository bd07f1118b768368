"""Which node of a Workflow is which task or block: read from the compiled pipeline."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

_RETRY = re.compile(r"\(\d+\)$")
_ITEM = re.compile(r"^iteration-iterations\((\d+):")
_BETWEEN = {"root", "iteration-iterations", "iteration-item"}
"""Parts of a node's path that stand for no task and no block."""

Place = tuple[str, tuple[int, ...], str]
"""A path of KFP's task names, joined by slashes; the places in the loops around; the last part,
where it is no name: ``executor``, ``driver`` or nothing."""


def node_map(pipeline: Mapping[str, Any], without: Collection[str] = ()) -> dict[str, str]:
    """The ids of tasks and loops by the paths of their nodes, from a PipelineSpec.

    Tasks that the compiler has added are there under their own names. ``without``: not these ids.
    """
    found = _below("", pipeline["root"], pipeline)
    return {path: id for path, id in found if id not in without}


def _below(
    path: str, component: Mapping[str, Any], pipeline: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    executors = pipeline.get("deploymentSpec", {}).get("executors", {})
    for name, task in component.get("dag", {}).get("tasks", {}).items():
        here = f"{path}/{name}" if path else name
        inner = pipeline["components"][task["componentRef"]["name"]]
        if "dag" in inner:
            if "parameterIterator" in task:
                yield here, str(task["taskInfo"]["name"])
            yield from _below(here, inner, pipeline)
        else:
            container = executors.get(inner.get("executorLabel"), {}).get("container", {})
            yield here, _task(container) or str(task["taskInfo"]["name"])


def _task(container: Mapping[str, Any]) -> str:
    """The task that a container runs, as the compiler wrote it into it."""
    args = container.get("args", ())
    if "--task" in args[:-1]:
        return str(args[args.index("--task") + 1])
    env = {entry.get("name"): entry.get("value") for entry in container.get("env", ())}
    return str(env.get("KALELITE_TASK") or "")


def place_of(name: str) -> Place:
    """Where a node stands, from its name: ``main-x(0).root(0).train(0).executor(1)``."""
    path: list[str] = []
    index: list[int] = []
    last = ""
    for whole in name.split(".")[1:]:
        item = _ITEM.match(whole)
        if item:
            index.append(int(item[1]))
            continue
        part = _RETRY.sub("", whole)
        if part == "onExit":
            path.pop()  # the handler of a block stands beside it
        elif part == "executor":
            last = "executor"
        elif part not in _BETWEEN:
            path.append(part)
    if path and not last and path[-1].endswith("-driver"):
        path[-1] = path[-1].removesuffix("-driver")
        last = "driver"
    return "/".join(path), tuple(index), last
