"""What is true of a plan on KFP and might surprise, in a line each."""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
from collections.abc import Iterator
from typing import Any

from kalelite.backends.kubeflow.compile.compile_settings import Settings, settings_for
from kalelite.backends.kubeflow.compile.kfp_options import notes
from kalelite.capture.code import fingerprint
from kalelite.plan.graph import Plan, StepDef

__all__ = ["warnings_for"]

_IN_STOCK_IMAGES = frozenset({"pip", "pkg_resources", "setuptools", "wheel"})


def warnings_for(plan: Plan, **settings: Any) -> Iterator[str]:
    """A line for each thing that a run on KFP does otherwise than one might think."""
    if plan.options.experiment:
        yield f"experiment: choose {plan.options.experiment!r} when you create a run of the file"
    tasks: dict[str, list[str]] = {}
    for task in plan.tasks:
        for note in notes(task.options):
            tasks.setdefault(note, []).append(task.id)
    for note, names in tasks.items():
        yield f"{note} ({_few(names)})"
    yield from _missing_packages(plan, settings_for(plan, settings))


def _missing_packages(plan: Plan, settings: Settings) -> Iterator[str]:
    """A line about packages that steps import and the stock Python image does not have."""
    if settings.image is not None:
        return
    known: dict[int, list[str]] = {}
    tasks: dict[str, list[str]] = {}
    for task in plan.tasks:
        if not isinstance(task.step, StepDef) or task.options.image or task.options.packages:
            continue
        function = task.step.function
        if id(function) not in known:
            known[id(function)] = []
            # A user's object may raise anything when it is looked at; the run need not fail.
            with contextlib.suppress(Exception):
                known[id(function)] = sorted(fingerprint(function).libraries)
        for package in known[id(function)]:
            if package not in _IN_STOCK_IMAGES:
                tasks.setdefault(package, []).append(task.id)
    if tasks:
        what = ", ".join(f"{package} ({_few(names)})" for package, names in sorted(tasks.items()))
        yield (
            f"the image {settings.default_image} lacks what steps import: {what}; "
            f"write @pipeline(defaults={{'packages': {sorted({*map(_distribution, tasks)})}}}), "
            "or packages= or image= at the steps"
        )


def _few(names: list[str]) -> str:
    more = f" and {len(names) - 5} more" if names[5:] else ""
    return f"{', '.join(names[:5])}{more}"


def _distribution(package: str) -> str:
    """What pip calls a package; of one that several share, its own name."""
    try:
        return str(importlib.metadata.metadata(package)["Name"])
    except importlib.metadata.PackageNotFoundError:
        # Reads a file of every installed package, so not at first.
        names = set(_installed().get(package, ()))
        return names.pop() if len(names) == 1 else package


_installed = functools.cache(importlib.metadata.packages_distributions)
