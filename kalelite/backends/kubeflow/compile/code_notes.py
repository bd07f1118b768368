"""What the code of the steps will not find in a pod."""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
from collections.abc import Callable, Iterator, Mapping

from kalelite.backends.kubeflow.compile.compile_settings import Settings
from kalelite.capture.code import Code, capture
from kalelite.errors import CaptureError
from kalelite.executor.import_folders import import_folders
from kalelite.executor.own_functions import libraries_of
from kalelite.plan.graph import Plan, StepDef

_IN_STOCK_IMAGES = frozenset({"pip", "pkg_resources", "setuptools", "wheel"})


def code_notes(plan: Plan, settings: Settings) -> Iterator[str]:
    """A line for each thing."""
    with contextlib.suppress(CaptureError):  # which the compiler reports
        code = capture(plan)
        yield from code.notes()
        yield from missing_packages(plan, settings, code)


def missing_packages(plan: Plan, settings: Settings, code: Code) -> Iterator[str]:
    """A line about packages that steps import and the stock Python image does not have."""
    if settings.image is not None:
        return
    tasks: dict[str, list[str]] = {}
    for task in plan.tasks:
        options = task.options
        if not isinstance(task.step, StepDef) or options.image or options.packages:
            continue
        if import_folders(options.env):
            continue  # they may be there
        for package in (*sorted(code.libraries(task)), *libraries_of(task)):
            if package not in _IN_STOCK_IMAGES:
                tasks.setdefault(package, []).append(task.id)
    if tasks:
        # Reads a file of every installed package, so only when asked.
        installed = functools.cache(importlib.metadata.packages_distributions)
        called = sorted({_distribution(package, installed) for package in tasks})
        what = ", ".join(f"{package} ({few(names)})" for package, names in sorted(tasks.items()))
        yield (
            f"the image {settings.default_image} lacks what steps import: {what}; "
            f"write @pipeline(defaults={{'packages': {called}}}), "
            "or packages= or image= at the steps"
        )


def few(names: list[str]) -> str:
    """The first five names, and how many more there are."""
    more = f" and {len(names) - 5} more" if names[5:] else ""
    return f"{', '.join(names[:5])}{more}"


def _distribution(package: str, installed: Callable[[], Mapping[str, list[str]]]) -> str:
    """What pip calls a package; of one that several share, its own name."""
    try:
        return str(importlib.metadata.metadata(package)["Name"])
    except importlib.metadata.PackageNotFoundError:
        names = set(installed().get(package, ()))
        return names.pop() if len(names) == 1 else package
