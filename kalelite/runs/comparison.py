"""Runs beside each other: parameters, metrics, times, and what changed in the code."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath

from kalelite.frozen import frozen
from kalelite.humanize import duration
from kalelite.plan.options.secrecy import hide_secrets, without_secret
from kalelite.runs.code_texts import CodeTexts
from kalelite.runs.kept_results import read_keys
from kalelite.runs.pipeline_run import Run
from kalelite.runs.task_state import TaskState


@frozen
class Row:
    """One thing that the runs have, as text for each of them; empty where a run has it not."""

    name: str
    values: tuple[str, ...]

    @property
    def differs(self) -> bool:
        """Whether the runs differ in it."""
        return len(set(self.values)) > 1


@frozen
class CodeChange:
    """A file whose text differs between the first run and another one, as a unified diff."""

    file: str
    other: int
    lines: tuple[str, ...]


@frozen
class Comparison:
    """What there is to say of several runs; ``code`` compares each with the first."""

    runs: tuple[Run, ...]
    parameters: tuple[Row, ...]
    metrics: tuple[Row, ...]
    times: tuple[Row, ...]
    packages: tuple[Row, ...]
    code: tuple[CodeChange, ...]


def compare(runs: Sequence[Run]) -> Comparison:
    """Compare runs, in the order in which they are given."""
    tasks = [run.tasks for run in runs]
    first, *others = (_texts(run) for run in runs)
    changes = (
        change for other, texts in enumerate(others, 1) for change in _changes(first, texts, other)
    )
    return Comparison(
        tuple(runs),
        _rows({n: without_secret(n, str(v)) for n, v in run.parameters.items()} for run in runs),
        _rows({name: f"{value:.6g}" for name, value in run.metrics.items()} for run in runs),
        _rows(
            {"whole run": duration(run.seconds)} | {name: _time(one) for name, one in found.items()}
            for run, found in zip(runs, tasks, strict=True)
        ),
        _rows(map(_packages, runs)),
        tuple(changes),
    )


def _rows(sides: Iterable[Mapping[str, str]]) -> tuple[Row, ...]:
    found = list(sides)
    names = dict.fromkeys(name for side in found for name in side)
    return tuple(Row(name, tuple(side.get(name, "") for side in found)) for name in names)


def _time(task: TaskState) -> str:
    if task.seconds is None or task.status not in {"succeeded", "failed", "running"}:
        return task.status
    more = f" ({task.status})" if task.status != "succeeded" else ""
    return duration(task.seconds) + more


def _packages(run: Run) -> dict[str, str]:
    parts = (part for key in read_keys(run.folder).values() for part in key.parts.items())
    found = {
        part.removeprefix("package "): text
        for part, text in parts
        if part.startswith(("package ", "python"))
    }
    return dict(sorted(found.items()))


def _texts(run: Run) -> dict[str, str]:
    """The texts of a run's files; by their names alone where no two are of one name."""
    files = CodeTexts.read(run.home / str(run.data.get("code", "none"))).files
    names = [PurePath(file).name for file in files]
    return {
        name if names.count(name) == 1 else file: text
        for name, (file, text) in zip(names, files.items(), strict=True)
    }


def _changes(
    first: Mapping[str, str], second: Mapping[str, str], other: int
) -> Iterable[CodeChange]:
    for file in dict.fromkeys((*first, *second)):
        before, after = first.get(file, ""), second.get(file, "")
        if before != after:
            diff = difflib.unified_diff(before.splitlines(), after.splitlines(), n=2, lineterm="")
            yield CodeChange(file, other, tuple(map(hide_secrets, list(diff)[2:])))
