"""What a run on this machine does with each option."""

from __future__ import annotations

from kalelite.frozen import frozen
from kalelite.plan.graph import ContainerDef, Plan
from kalelite.plan.options import PIPELINE_OPTIONS, STEP_OPTIONS
from kalelite.plan.options.treatment import Handled, Noted, treatments


@frozen
class ForContainers(Handled):
    """Honoured for container steps; for other steps as if it were `Noted`."""


_NO_EFFECT = Noted()
_OF_SHELL = Handled("a variable of your own shell, a folder of this machine at that path")

LOCAL_STEP_OPTIONS = treatments(
    STEP_OPTIONS,
    {
        "name": Handled(),
        "display_name": Handled(),
        "cpu": Handled("takes as many of the run's slots; limits a container step"),
        "cpu_limit": ForContainers(),
        "memory": Handled("the limit, unless `memory_limit` is given"),
        "memory_limit": Handled(),
        "gpu": Handled("takes as many of the machine's"),
        "accelerator": _NO_EFFECT,
        "ephemeral_storage": _NO_EFFECT,
        "ephemeral_storage_limit": _NO_EFFECT,
        "retries": Handled(),
        "timeout": Handled("the attempt's process is stopped"),
        "cache": Handled("off with `--no-cache` and `--debug`"),
        "ignore_failures": Handled(),
        "image": _NO_EFFECT,
        "packages": Handled("installed once into a folder that the step's process imports from"),
        "env": Handled(),
        "secrets": _OF_SHELL,
        "config_maps": _OF_SHELL,
        "volumes": Handled("folders of this machine: at the same path, or where a setting says"),
        "node_selector": _NO_EFFECT,
        "tolerations": _NO_EFFECT,
        "affinity": _NO_EFFECT,
        "labels": _NO_EFFECT,
        "annotations": _NO_EFFECT,
        "pull_policy": ForContainers(),
        "pull_secrets": _NO_EFFECT,
        "security_context": ForContainers(),
    },
)

LOCAL_PIPELINE_OPTIONS = treatments(
    PIPELINE_OPTIONS,
    {
        "name": Handled(),
        "description": Handled("shown in pictures"),
        "experiment": Handled("kept in the run's record"),
        "order": Handled(),
        "marshal": _NO_EFFECT,
        "marshal_volume": _NO_EFFECT,
        "marshal_volume_size": _NO_EFFECT,
        "marshal_path": _NO_EFFECT,
        "pods": Handled("steps are processes of one machine"),
        "defaults": Handled(),
    },
)


def without_effect(plan: Plan) -> list[str]:
    """The options in use that have no effect on this machine, each once."""
    used = {
        name
        for task in plan.tasks
        for name in task.options.explicit()
        if isinstance(LOCAL_STEP_OPTIONS[name], Noted)
        or (
            isinstance(LOCAL_STEP_OPTIONS[name], ForContainers)
            and not isinstance(task.step, ContainerDef)
        )
    }
    of_steps = [name for name in LOCAL_STEP_OPTIONS if name in used]
    noted = (name for name, how in LOCAL_PIPELINE_OPTIONS.items() if isinstance(how, Noted))
    return [*of_steps, *(name for name in noted if getattr(plan.options, name))]
