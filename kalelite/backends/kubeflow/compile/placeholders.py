"""KFP's placeholders, which it replaces in a command or in a constant."""

from __future__ import annotations

from typing import Literal

__all__ = ["EXECUTOR_INPUT", "JOB_ID", "JOB_NAME", "artifact_path", "input_value", "output_file"]

EXECUTOR_INPUT = "{{$}}"
JOB_ID = "{{$.pipeline_job_uuid}}"
JOB_NAME = "{{$.pipeline_job_resource_name}}"
"""KFP puts the name of the run's Workflow in the place of a constant that is exactly this.

So a claim with that very name can be mounted by every task without a wire to the task that made
it, also by an exit handler, which may not depend on any task (KFP 2.14 to 2.17: driver/k8s.go).
"""


def input_value(name: str) -> str:
    """The value of an input, as text."""
    return f"{{{{$.inputs.parameters['{name}']}}}}"


def output_file(name: str) -> str:
    """The file that an output is written to."""
    return f"{{{{$.outputs.parameters['{name}'].output_file}}}}"


def artifact_path(side: Literal["inputs", "outputs"], name: str) -> str:
    """Where an artifact is on the pod's disk."""
    return f"{{{{$.{side}.artifacts['{name}'].path}}}}"
