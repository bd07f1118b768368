"""Run records: what a run was, how far it came, and what it left, as files.

    <home>/runs/<run-id>/run.json                 the plan in short, parameters, state, times
                         diagram.json             the picture of the plan
                         events.jsonl             one line for each change of a task's state
                         tasks/<instance>/record.json, log.txt, artifacts/
    <home>/store/                                 the values
    <home>/code/<digest>/                         the captured code

All of it can be read while the run goes on, and after a crash at any point.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kalelite.runs.pipeline_run import Run as Run
    from kalelite.runs.run_table import table as table


def __getattr__(name: str) -> Any:
    # Lazily: whoever writes a record needs nothing of what reads it.
    if name == "Run":
        from kalelite.runs.pipeline_run import Run

        return Run
    if name == "table":
        from kalelite.runs.run_table import table

        return table
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
