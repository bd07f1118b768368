"""Waits that no value stands for, written into the graphs of a compiled pipeline.

kfp's own ``after`` refuses a task in a block that the waiting task is not in, while KFP runs a wait
for the block as a whole.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kalelite.plan.graph import Switch, Task
from kalelite.plan.nesting import ROOT
from kalelite.plan.scopes import Scopes

__all__ = ["add_waits"]

Names = Mapping[str, Mapping[str, str]]


def add_waits(spec: dict[str, Any], nesting: Scopes, first: Sequence[str], names: Names) -> None:
    """Complete a compiled pipeline.

    Parameters
    ----------
    spec
        The pipeline in its JSON form.
    nesting
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
    for child in nesting.children[ROOT]:
        # Whatever waits for something else waits for the chain through that.
        if chain and child not in nesting.handlers and not nesting.waits[child]:
            _wait(tasks[own[child]], chain[-1:])
    _block(spec, nesting, ROOT, tasks, ROOT, names)


def _block(
    spec: dict[str, Any],
    nesting: Scopes,
    id: str,
    tasks: dict[str, Any],
    scope: str,
    names: Names,
) -> None:
    own = names[scope]
    for child in nesting.children[id]:
        task = tasks[own[child]]
        if child not in nesting.handlers:
            _wait(task, [own[other] for other in nesting.orders[child]])
        if isinstance(nesting.items[child], Task):
            continue
        inner = spec["components"][task["componentRef"]["name"]]["dag"]["tasks"]
        branches = nesting.children[child]
        is_lone_if = isinstance(nesting.items[child], Switch) and len(branches) == 1
        # kfp puts a lone If into no block of its own.
        block = branches[0] if is_lone_if else child
        _block(spec, nesting, block, inner, block if block in names else scope, names)


def _wait(task: dict[str, Any], names: Iterable[str]) -> None:
    waits = sorted({*task.get("dependentTasks", ()), *names})
    if waits:
        task["dependentTasks"] = waits
