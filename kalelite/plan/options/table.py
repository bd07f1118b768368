"""The option tables: what each option of a step or pipeline does here and on Kubeflow Pipelines.

One data structure is the source of the documentation and of the line that a local run begins
with: which of the options in use have no meaning on one machine.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from kalelite.plan.graph import ContainerDef, Plan

__all__ = ["PIPELINE_ROWS", "ROWS", "Row", "option_table", "without_meaning_here"]


@dataclass(frozen=True, slots=True)
class Row:
    """One option: how it is written, what it does in each place, and where it is refused.

    ``here`` is whether it has an effect in a local run, ``contained`` whether it has one there for
    a container step; ``since`` is the first release of Kubeflow Pipelines that does it, empty where
    none does.
    """

    option: str
    example: str
    local: str
    kfp: str
    since: str = "2.14"
    refused: str = ""
    here: bool = True
    contained: bool = False


_NOWHERE = "no meaning on one machine; named in one line at the start of the run"

_OF_SHELL = (
    "the variable of your own shell, the folder of that path on this machine; what is not there is"
    " named at the start of the run"
)

ROWS = (
    Row("name", '"train-big"', "the task's name", "the task's name"),
    Row(
        "display_name",
        '"Train the model"',
        "shown in pictures",
        "shown in the graph of the run",
    ),
    Row("image", '"python:3.11"', _NOWHERE, "the container's image", here=False),
    Row(
        "packages",
        '["pandas>=2"]',
        "the step runs in an environment of its own that holds them",
        "installed by pip when the pod starts",
    ),
    Row(
        "cpu",
        "2, 0.5 or '500m'",
        "holds as many of the run's slots; bounds a container step",
        "request",
    ),
    Row(
        "cpu_limit",
        "4",
        f"bounds a container step; else {_NOWHERE}",
        "limit",
        here=False,
        contained=True,
    ),
    Row("memory", '"8Gi"', "bounds the step's memory", "request"),
    Row("memory_limit", '"16Gi"', "bounds the step's memory", "limit"),
    Row("gpu", "1", "holds as many of the machine's gpus", "limit of the accelerator"),
    Row(
        "accelerator",
        '"amd.com/gpu"',
        _NOWHERE,
        "which resource `gpu` counts; `nvidia.com/gpu` if it is left out",
        here=False,
    ),
    Row(
        "ephemeral_storage",
        '"20Gi"',
        _NOWHERE,
        "refused",
        since="",
        refused="KFP: no release can ask for it",
        here=False,
    ),
    Row(
        "ephemeral_storage_limit",
        '"40Gi"',
        _NOWHERE,
        "refused",
        since="",
        refused="KFP: no release can limit it",
        here=False,
    ),
    Row(
        "env",
        '{"MODE": "fast"}',
        "set for the step",
        "set in the container",
        refused="everywhere: a value that looks like a secret, unless it is `Plain(…)`",
    ),
    Row(
        "secrets",
        '{"TOKEN": ("name", "key"), "/creds": "name"}',
        _OF_SHELL,
        "from a Secret, as a variable or as files",
    ),
    Row(
        "config_maps",
        '{"MODE": ("name", "key"), "/settings": "name"}',
        _OF_SHELL,
        "from a ConfigMap, as a variable or as files",
    ),
    Row(
        "volumes",
        '{"/data": "claim"} or [Volume("claim", "/data", read_only=True, sub_path="x")]',
        "the folder of that path on this machine",
        "the claim, mounted",
        refused="KFP: `read_only=True`; `sub_path` before 2.16",
    ),
    Row(
        "retries",
        '3 or Retries(3, wait="10s", factor=2, longest_wait="5m", only=(OSError,))',
        "tried again after the wait",
        "tried again after the wait",
        refused="KFP: `only`; `longest_wait` where it would shorten a wait",
    ),
    Row("timeout", '90 or "1h30m"', "the attempt is stopped", "the pod is stopped"),
    Row(
        "cache",
        "True",
        "True: the result of an earlier run with the same code, versions of the libraries that it"
        " imports, inputs, `env` and `packages` is taken, unless `--no-cache` or `--debug` is given;"
        " else it runs, as steps may do more than return a value",
        "runs anew in every run; True is named by `--compile` and `--dry-run`",
    ),
    Row(
        "ignore_failures",
        "True",
        "runs even if what it waits for has failed",
        "runs even if what it waits for has failed",
    ),
    Row("node_selector", '{"disk": "ssd"}', _NOWHERE, "on the pod", here=False),
    Row("tolerations", '["gpu=yes:NoSchedule"]', _NOWHERE, "on the pod", here=False),
    Row(
        "affinity",
        '{"nodeAffinity": {…}}',
        _NOWHERE,
        "on the pod",
        refused="KFP: `podAffinity` and `podAntiAffinity`",
        here=False,
    ),
    Row("labels", '{"team": "research"}', _NOWHERE, "on the pod", here=False),
    Row("annotations", '{"example.com/owner": "me"}', _NOWHERE, "on the pod", here=False),
    Row(
        "pull_policy",
        '"Always"',
        f"of the image of a container step; else {_NOWHERE}",
        "of the image",
        here=False,
        contained=True,
    ),
    Row("pull_secrets", '["registry"]', _NOWHERE, "of the image", here=False),
    Row(
        "security_context",
        "SecurityContext(run_as_user=1000, run_as_group=100)",
        f"user and group of a container step; else {_NOWHERE}",
        "user and group of the container",
        since="2.16",
        here=False,
        contained=True,
    ),
)
"""Every option of a step, in the order of the documentation."""

PIPELINE_ROWS = (
    Row("name", '"train"', "the pipeline's name", "the pipeline's name"),
    Row("description", '"Trains."', "shown in pictures", "shown with the pipeline"),
    Row(
        "experiment",
        '"digits"',
        "kept in the run's record",
        "chosen when a run is created: a compiled file cannot hold it; named by `--compile`",
    ),
    Row(
        "order",
        '"calls"',
        "a step waits for the one called before it, too",
        "the same",
    ),
    Row(
        "marshal_volume",
        'True or "claim"',
        _NOWHERE,
        "True: a volume of its own for the values of each run; a name: that claim, for all runs",
        here=False,
    ),
    Row("marshal_volume_size", '"10Gi"', _NOWHERE, "size of the run's own volume", here=False),
    Row("marshal_path", '"/data/marshal"', _NOWHERE, "where the steps find it", here=False),
    Row(
        "defaults",
        '{"memory": "2Gi"}',
        "options for every step that does not say otherwise",
        "the same",
    ),
)
"""Every option of a pipeline, likewise."""


def option_table(rows: Iterable[Row] = ROWS) -> str:
    """The table as Markdown."""
    heads = ("Option", "Written as", "Local run", "Kubeflow Pipelines", "Since KFP", "Refused")
    lines = [_line(heads), _line("---" for _ in heads)]
    for row in rows:
        cells = (f"`{row.option}`", f"`{row.example}`", row.local, row.kfp)
        lines.append(_line((*cells, row.since or "never", row.refused or "nowhere")))
    return "\n".join(lines) + "\n"


def without_meaning_here(plan: Plan) -> tuple[str, ...]:
    """The options that the plan and its tasks use and that a local run cannot give a meaning."""
    used: dict[bool, set[str]] = {True: set(), False: set()}
    for task in plan.tasks:
        used[isinstance(task.step, ContainerDef)].update(task.options.said())
    steps = (
        row.option
        for row in ROWS
        if not row.here
        and (row.option in used[False] or (row.option in used[True] and not row.contained))
    )
    said = (row.option for row in PIPELINE_ROWS if not row.here and _says(plan, row.option))
    return (*steps, *said)


def _says(plan: Plan, option: str) -> bool:
    return bool(getattr(plan.options, option))


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
