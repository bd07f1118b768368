"""Waits that no value stands for, written into the graphs of a compiled pipeline.

kfp's own ``after`` refuses a task in a block that the waiting task is not in, while KFP runs a wait
for the block as a whole.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kalelite.plan.graph import Switch, Task
from kalelite.plan.order import ROOT, Scopes

__all__ = ["add_waits"]

Names = Mapping[str, Mapping[str, str]]


def add_waits(spec: dict[str, Any], scopes: Scopes, first: Sequence[str], names: Names) -> None:
    """Complete a compiled pipeline.

    Parameters
    ----------
    spec
        The pipeline in its JSON form.
    scopes
        What waits for what.
    first
        Tasks that come one after the other before everything else.
    names
        kfp's names of the tasks and blocks of the pipeline (under ``""``) and of each nested one.
    """
    tasks = spec["root"]["dag"]["tasks"]
    own = names[ROOT]
    chain = [own[id] for id in first]
    for before, name in itertools.pairwise(chain):
        _wait(tasks[name], [before])
    for child in scopes.children[ROOT]:
        # Whatever waits for something else waits for the chain through that.
        if chain and child not in scopes.handlers and not scopes.waits[child]:
            _wait(tasks[own[child]], chain[-1:])
    _block(spec, scopes, ROOT, tasks, ROOT, names)


def _block(
    spec: dict[str, Any],
    scopes: Scopes,
    id: str,
    tasks: dict[str, Any],
    scope: str,
    names: Names,
) -> None:
    own = names[scope]
    for child in scopes.children[id]:
        task = tasks[own[child]]
        if child not in scopes.handlers:
            _wait(task, [own[other] for other in scopes.orders[child]])
        if isinstance(scopes.items[child], Task):
            continue
        inner = spec["components"][task["componentRef"]["name"]]["dag"]["tasks"]
        branches = scopes.children[child]
        is_lone_if = isinstance(scopes.items[child], Switch) and len(branches) == 1
        # kfp puts a lone If into no block of its own.
        block = branches[0] if is_lone_if else child
        _block(spec, scopes, block, inner, block if block in names else scope, names)


def _wait(task: dict[str, Any], names: Iterable[str]) -> None:
    waits = sorted({*task.get("dependentTasks", ()), *names})
    if waits:
        task["dependentTasks"] = waits
