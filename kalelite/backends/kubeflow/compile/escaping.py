"""The user's texts on their way into a Workflow, in which some of what they hold is expanded.

KFP's placeholders are among what is; those that kalelite writes are here, too.

Two braces begin a template of Argo. Kubernetes makes one dollar of two in the arguments and the
environment of a pod, and KFP hands texts from pod to pod as arguments (KFP issue 10370): how
often depends on its release, so there is no way to write them that would always be right.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Collection
from typing import Literal

from kalelite.plan.names import slug, unique

EXECUTOR_INPUT = "{{$}}"
JOB_ID = "{{$.pipeline_job_uuid}}"
JOB_NAME = "{{$.pipeline_job_resource_name}}"
"""KFP puts the name of the run's Workflow in the place of a constant that is exactly this.

So a claim with that very name can be mounted by every task without a wire to the task that made
it, also by an exit handler, which may not depend on any task (KFP 2.14 to 2.17: driver/k8s.go).
"""

_SUMMARY = 200
"""Characters of a docstring that travel for each step: all of them count in a Workflow's size."""


def expansion(text: str, names: Collection[str] = ()) -> str:
    """What would be expanded in a text, and by whom; empty if nothing is.

    ``names`` are the environment variables that the pod is given.
    """
    if "{{" in text:
        return "'{{', which Argo would expand"
    if "$$" in text:
        return "'$$', of which Kubernetes makes '$'"
    for name in re.findall(r"\$\(([A-Za-z_]\w*)\)", text):
        if name in names or name.startswith(("KFP_", "ARGO_")):
            return f"'$({name})', which Kubernetes would expand"
    return ""


def prose(text: str) -> str:
    """A text that only people read, without control characters.

    Between two braces stands a word joiner, which nobody sees: no text can be kept from Argo.
    """
    text = "".join(char for char in text if char in "\n\t" or char.isprintable())
    return re.sub(r"\{(?=\{)", "{\N{WORD JOINER}", text)


def summary(docstring: str) -> str:
    """The first paragraph of a docstring, as one line."""
    line = " ".join(prose(docstring).strip().partition("\n\n")[0].split())
    return line if len(line) <= _SUMMARY else f"{line[: _SUMMARY - 1]}…"


def identifier(text: str, taken: Collection[str]) -> str:
    """A name of a KFP parameter that is not taken: a Python identifier in ASCII."""
    name = text if text.isascii() else slug(text)
    name = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_") or "value"
    if name[0].isdigit() or keyword.iskeyword(name) or name in _RESERVED:
        name = f"v_{name}"
    return unique(name, taken, separator="_")


_RESERVED = frozenset({"Output", "base_image", "self"})
"""Names of kfp's own."""


def input_value(name: str) -> str:
    """The value of an input, as text."""
    return f"{{{{$.inputs.parameters['{name}']}}}}"


def output_file(name: str) -> str:
    """The file that an output is written to."""
    return f"{{{{$.outputs.parameters['{name}'].output_file}}}}"


def artifact_path(side: Literal["inputs", "outputs"], name: str) -> str:
    """Where an artifact is on the pod's disk."""
    return f"{{{{$.{side}.artifacts['{name}'].path}}}}"
