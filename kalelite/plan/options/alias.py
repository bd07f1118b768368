"""Other spellings of options: those of Kale, which mean the same here, and near misses."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from kalelite.errors import Problem, Where
from kalelite.plan.suggest import did_you_mean

__all__ = ["PIPELINE", "STEP", "translate", "unknown"]

Rewrite = Callable[[Any, dict[str, Any]], "str | None"]
"""Puts a value under the option's own name; returns a hint if that cannot be done."""


def translate(
    said: Mapping[str, Any], table: Mapping[str, Rewrite], where: Where | None
) -> tuple[dict[str, Any], list[Problem]]:
    """The options under their own names, and the Problems of those that cannot be had."""
    result = {name: value for name, value in said.items() if name not in table}
    problems = []
    for name, value in said.items():
        if name in table and value is not None and (hint := table[name](value, result)):
            problems.append(Problem(f"{name}={value!r} cannot be taken over", hint, where))
    return result, problems


def unknown(name: str, known: Collection[str], owner: str, where: Where | None) -> Problem:
    """The Problem of an option that does not exist, with the one that was most likely meant."""
    meant = _MEANT.get(name) if _MEANT.get(name) in known else None
    near = f"Did you mean {meant!r}?" if meant else did_you_mean(name, known)
    hint = near or f"The options are {', '.join(sorted(known))}."
    return Problem(f"{name!r} is not an option of {owner}", hint, where)


def _rename(target: str) -> Rewrite:
    def put(value: Any, result: dict[str, Any]) -> str | None:
        if target in result:
            return f"Leave it out: {target!r} is given, too."
        result[target] = value
        return None

    return put


def _retry(part: str) -> Rewrite:
    def put(value: Any, result: dict[str, Any]) -> str | None:
        retries = result.setdefault("retries", {"count": 0})
        if not isinstance(retries, dict):
            return f"Leave it out: say it in retries, as Retries(3, {part}=…)."
        retries[part] = value
        return None

    return put


def _limits(value: Any, result: dict[str, Any]) -> str | None:
    """Kale's ``limits={"cpu": "2", "nvidia.com/gpu": 1}``."""
    if not isinstance(value, Mapping):
        return 'Write cpu_limit="2", memory_limit="4Gi", gpu=1.'
    for resource, amount in value.items():
        if resource in {"cpu", "memory"}:
            result.setdefault(f"{resource}_limit", amount)
        elif resource == "ephemeral-storage":
            result.setdefault("ephemeral_storage_limit", amount)
        elif isinstance(resource, str) and "/" in resource:
            result.setdefault("accelerator", resource)
            result.setdefault("gpu", amount)
        else:
            return f"{resource!r} is not a resource; cpu, memory and 'nvidia.com/gpu' are."
    return None


def _default(option: str) -> Rewrite:
    """A setting of Kale's pipeline that is a default of the steps here."""

    def put(value: Any, result: dict[str, Any]) -> str | None:
        return _defaults({option: value}, result)

    return put


def _defaults(value: Any, result: dict[str, Any]) -> str | None:
    """Kale's ``steps_defaults``; what is said in ``defaults`` wins."""
    given = result.get("defaults") or {}
    if not isinstance(value, Mapping) or not isinstance(given, Mapping):
        return 'Write all defaults in one dict: defaults={"memory": "2Gi"}.'
    result["defaults"] = {**value, **given}
    return None


def _volumes(value: Any, result: dict[str, Any]) -> str | None:
    """Kale's ``volumes=[{"name": …, "mount_point": …, "type": "pvc"}]``."""
    claims: dict[Any, Any] = {}
    for volume in value if isinstance(value, (list, tuple)) else [value]:
        if not isinstance(volume, Mapping) or volume.get("type") != "pvc":
            return (
                'Write defaults={"volumes": {"/data": "claim-name"}}; volumes are cloned by --kfp.'
            )
        claims[volume.get("mount_point", "")] = volume.get("name", "")
    return _default("volumes")(claims, result) if claims else None


def _refuse(hint: str) -> Rewrite:
    """A setting that can only be off here; switched off, it is no problem."""

    def put(value: Any, result: dict[str, Any]) -> str | None:  # noqa: ARG001 - a Rewrite
        return hint if value else None

    return put


STEP: dict[str, Rewrite] = {
    "retry_count": _retry("count"),
    "retry_interval": _retry("wait"),
    "retry_factor": _retry("factor"),
    "retry_max_interval": _retry("longest_wait"),
    "limits": _limits,
    "docker_image": _rename("image"),
    "base_image": _rename("image"),
    "packages_to_install": _rename("packages"),
}
"""Kale's and KFP's names of step options."""

PIPELINE: dict[str, Rewrite] = {
    "experiment_name": _rename("experiment"),
    "steps_defaults": _defaults,
    "docker_image": _default("image"),
    "volumes": _volumes,
    "autosnapshot": _refuse("Leave it out: the volumes are snapshotted once, before the run."),
    "katib_run": _refuse("Leave it out: kalelite does not tune hyperparameters."),
    "katib_metadata": _refuse("Leave it out: kalelite does not tune hyperparameters."),
    "kfp_host": _refuse(
        "Leave it out: the endpoint is a setting of the command, not of the pipeline."
    ),
    "abs_working_dir": _refuse(
        "Leave it out: the steps follow the working directory of the script."
    ),
    "storage_class_name": _refuse("Leave it out: a clone has the storage class of its volume."),
    "volume_access_mode": _refuse("Leave it out: a clone has the access mode of its volume."),
    "timeout": _refuse('For each step, write defaults={"timeout": "2h"}.'),
}
"""Kale's names of pipeline options."""

_MEANT = {
    "cpu_request": "cpu",
    "cpus": "cpu",
    "memory_request": "memory",
    "mem": "memory",
    "ram": "memory",
    "gpus": "gpu",
    "gpu_limit": "gpu",
    "accelerator_limit": "gpu",
    "accelerator_type": "accelerator",
    "gpu_type": "accelerator",
    "storage": "ephemeral_storage",
    "disk": "ephemeral_storage",
    "environment": "env",
    "env_vars": "env",
    "configmaps": "config_maps",
    "mounts": "volumes",
    "pvc": "volumes",
    "retry": "retries",
    "num_retries": "retries",
    "max_retries": "retries",
    "time_limit": "timeout",
    "caching": "cache",
    "enable_caching": "cache",
    "nodeselector": "node_selector",
    "image_pull_policy": "pull_policy",
    "image_pull_secrets": "pull_secrets",
    "requirements": "packages",
    "pip": "packages",
    "title": "display_name",
    "ignore_upstream_failure": "ignore_failures",
    "marshal": "marshal_volume",
    "marshal_size": "marshal_volume_size",
    "step_defaults": "defaults",
}
"""What people write who come from elsewhere, where the spelling alone would not find it."""
