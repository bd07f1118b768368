"""All runs as a table of pandas."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from kalelite.errors import UsageError
from kalelite.runs.pipeline_run import list_runs

if TYPE_CHECKING:
    from kalelite.runs.pipeline_run import Run


def table(*, folder: str | Path | None = None, limit: int | None = None) -> Any:
    """The runs as a `pandas.DataFrame`: a row for each, the newest first, its id as the index.

    Parameters
    ----------
    folder
        Where runs are kept; by default the nearest ``.kalelite`` folder upwards.
    limit
        The newest ones only.

    Returns
    -------
    pandas.DataFrame
        Columns ``name``, ``pipeline``, ``state``, ``started`` (UTC), ``seconds``; ``tags.KEY`` for every
        tag, ``parameters.NAME`` for every parameter, and ``metrics.TASK.NAME`` for the last value of
        every metric.

    Raises
    ------
    UsageError
        if pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError:
        raise UsageError("pandas is not installed", hint="pip install pandas") from None
    runs = list_runs(folder=folder, limit=limit)
    columns = ["name", "pipeline", "state", "started", "seconds"]
    rows = [_row(run) for run in runs]
    columns += dict.fromkeys(name for row in rows for name in row if name not in columns)
    frame = pd.DataFrame(
        rows, index=pd.Index([run.id for run in runs], name="run"), columns=columns
    )
    frame["started"] = pd.to_datetime(frame["started"], unit="s", utc=True)
    return frame


def _row(run: Run) -> dict[str, Any]:
    tags = run.tags
    return {
        "name": tags.name,
        "pipeline": run.pipeline,
        "state": run.state,
        "started": run.data["started"],
        "seconds": run.seconds,
        **{f"tags.{key}": value for key, value in tags.tags.items()},
        **{f"parameters.{name}": value for name, value in run.parameters.items()},
        **{f"metrics.{name}": value for name, value in run.metrics.items()},
    }
