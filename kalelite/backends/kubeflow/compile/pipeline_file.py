"""The YAML file of a compiled pipeline."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kalelite.atomic import write_atomically
from kalelite.backends.kubeflow.compile.escaping import prose, summary
from kalelite.errors import UsageError
from kalelite.plan.graph import Plan

__all__ = ["checked_path", "heading", "write"]


def checked_path(path: str | os.PathLike[str]) -> Path:
    """Where the file may be written.

    Raises
    ------
    UsageError
        It does not end in ``.yaml`` or ``.yml``, is a folder, or its folder is not there.
    """
    target = Path(path)
    if target.suffix not in {".yaml", ".yml"}:
        hint = f"Write {target.with_suffix('.yaml').name!r}."
        raise UsageError(f"{str(target)!r} does not end in .yaml", hint=hint)
    folder = target.absolute().parent
    if target.is_dir() or not folder.is_dir():
        hint = (
            "It is a folder: name a file." if target.is_dir() else f"There is no folder {folder}."
        )
        raise UsageError(f"{str(target)!r} cannot be written", hint=hint)
    return target


def heading(plan: Plan) -> str:
    """A comment for the head of the file: what the pipeline and its steps do; KFP has no place for a step's description."""
    lines = [f"{plan.name}: {summary(plan.description)}" if plan.description else plan.name]
    lines += [
        f"  {task.id}: {summary(task.step.description)}"
        for task in plan.tasks
        if task.step.description
    ]
    return "".join(f"# {' '.join(prose(line).splitlines())}\n" for line in lines)


def write(path: Path, heading: str, documents: Iterable[dict[str, Any]]) -> None:
    """Write the file; the same pipeline gives the same bytes."""
    import yaml

    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text = yaml.dump_all(documents, Dumper=dumper, sort_keys=True, width=1_000_000)
    write_atomically(path, (heading + text).encode("utf-8"))
