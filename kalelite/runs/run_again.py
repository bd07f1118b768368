"""A run that goes on in the process that asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kalelite.authoring.backends import open_backend
from kalelite.authoring.pipeline import pipelines_of
from kalelite.errors import UsageError

if TYPE_CHECKING:
    from kalelite.runs.reading import RunRecord


def resume(run: RunRecord) -> Any:
    """What `Run.resume` does."""
    found = [one for one in pipelines_of() if one.name == run.pipeline]
    if not found:
        raise UsageError(
            f"there is no pipeline {run.pipeline!r} here to go on with",
            hint=f"Define it first; where a script has it: kalelite resume {run.id}",
        )
    backend = open_backend("local", home=run.home, resume=run.id)
    return found[-1].run_on(backend, (), run.parameters)
