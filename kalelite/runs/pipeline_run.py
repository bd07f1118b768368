"""A run with all that it gave: values, metrics and artifacts; shown by notebooks, and gone on with."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kalelite.errors import UsageError
from kalelite.frozen import frozen
from kalelite.runs.reading import RunRecord
from kalelite.runs.run_dirs import run_names, runs_folder

if TYPE_CHECKING:
    from kalelite.executor.spec import OutputEntry


@frozen
class Run(RunRecord):
    """A run, read from its folder as it is now."""

    @property
    def values(self) -> Mapping[str, Any]:
        """The outputs by "task.output", each loaded from the store when it is asked for."""
        from kalelite.runs.stored_values import RunValues

        return RunValues(self)

    @property
    def metrics(self) -> Mapping[str, float]:
        """The last value of every metric, by "task.metric"."""
        return {name: points[-1][1] for name, points in self.curves.items()}

    @property
    def curves(self) -> Mapping[str, list[tuple[float, float]]]:
        """All points of every metric, by "task.metric": step and value.

        Where no step was given, its place in the series stands for it.
        """
        from kalelite.runs.logged import curves_of

        return curves_of(self.tasks)

    @property
    def artifacts(self) -> Mapping[str, Path]:
        """The files and folders that were logged, by "task.artifact"."""
        from kalelite.runs.logged import artifacts_of

        return {f"{one.task}.{one.name}": one.path for one in artifacts_of(self.tasks)}

    def output_names(self, name: str) -> list[str]:
        """The outputs that a name stands for, as `outputs` has them; that of a step for all of its own.

        Raises `UsageError`: there is none.
        """
        from kalelite.runs.stored_values import chosen_outputs

        outputs = self.outputs()
        own = [key for key in outputs if key.rpartition(".")[0] == name]
        return own if own[1:] else chosen_outputs(name, outputs)[0]

    def read(self, entry: OutputEntry) -> Any:
        """The value of an output."""
        from kalelite.runs.stored_values import load_entry

        return load_entry(self, entry)

    def load(self, name: str) -> Any:
        """An output: ``"train.model"``, or ``"train"`` if the task has one.

        For a task in a loop ``"train[2].model"`` gives one item's, ``"train.model"`` the list.

        Raises
        ------
        UsageError
            if there is no such output.
        MissingObjectError
            if the value is no longer in the store.
        """
        from kalelite.runs.stored_values import load_output

        return load_output(self, name)

    def resume(self) -> Any:
        """Go on with the run, by its pipeline as this process has it now; what that returned.

        What is finished and unchanged is taken, the rest runs.

        Raises
        ------
        UsageError
            if this process has no pipeline of that name.
        """
        from kalelite.runs.run_again import resume

        return resume(self)

    def _repr_html_(self) -> str:
        """How a notebook shows the run: what each task did and gave."""
        from kalelite.runs.html import run_html

        return run_html(self)


def list_runs(
    *, folder: str | Path | None = None, limit: int | None = None, skip: int = 0
) -> list[Run]:
    """The runs, newest first; unreadable ones are left out. ``skip`` leaves out the newest ones."""
    base = runs_folder(folder)
    found: list[Run] = []
    for name in run_names(base)[::-1][skip:]:
        if limit is not None and len(found) >= limit:
            break
        with contextlib.suppress(UsageError):
            found.append(Run.from_folder(base / name))
    return found


def load(run: str, name: str, *, folder: str | Path | None = None) -> Any:
    """Any output of any past run: ``kalelite.load("last", "train.model")``.

    Parameters
    ----------
    run
        A run's id, the beginning of one, or "last".
    name
        A step and its output, as ``kalelite show`` lists them: ``"train.model"``, or ``"train"``
        if the step has one. Of a step in a loop ``"train[2].model"`` is one item's, and
        ``"train.model"`` the list of all.
    folder
        Where runs and values are kept; by default the nearest ``.kalelite`` folder upwards.

    Returns
    -------
    Any
        The value, as the step returned it.

    Raises
    ------
    UsageError
        if there is no such run or output.
    MarshalError
        if the value is no longer in the store, or cannot be read here.
    """
    return Run.open(run, folder=folder).load(name)
