"""Other spellings of options: those of Kale, which mean the same here, and near misses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kalelite.errors import Problem, Where
from kalelite.plan.options.option import Alias, Option

_TUNING = "kalelite sweep tries the values of parameters"
WITHOUT_COUNTERPART = {
    "autosnapshot": "the volumes are snapshotted once, before the run",
    "snapshot_volumes": "the volumes are snapshotted once, before the run",
    "katib_run": _TUNING,
    "katib_metadata": _TUNING,
    "kfp_host": "the address is a setting of the command, KALELITE_KFP_HOST",
    "abs_working_dir": "the steps follow the working directory of the script",
    "storage_class_name": "a clone has the storage class of its volume",
    "volume_access_mode": "a clone has the access mode of its volume",
    "pipeline_root": "values are kept in the marshal volume",
    "install_kfp_package": "a step needs nothing of KFP",
}
"""Settings of Kale and KFP that have no counterpart here, with the reason."""


def translate(
    settings: Mapping[str, Any], options: Iterable[Option], where: Where | None
) -> tuple[dict[str, Any], list[Problem]]:
    """The settings under the options' own names, and the Problems of those that cannot be.

    Those without a counterpart are told by a warning, and left out.
    """
    aliases = {alias: option for option in options for alias in option.aliases}
    strange = {*aliases, *WITHOUT_COUNTERPART}
    result = {name: value for name, value in settings.items() if name not in strange}
    problems = []
    for name, value in settings.items():
        hint = None
        if name in aliases and value is not None:
            hint = aliases[name].aliases[name](aliases[name].name, value, result)
        elif name in WITHOUT_COUNTERPART and value:
            _warn(f"{name}={value!r} has no effect: {WITHOUT_COUNTERPART[name]}", where)
        if hint:
            problems.append(Problem(f"{name}={value!r} cannot be taken over", hint, where))
    return result, problems


def _warn(message: str, where: Where | None) -> None:
    import warnings  # here: few programs need it

    place = (where.file, where.line) if where is not None else ("kalelite", 0)
    warnings.warn_explicit(message, UserWarning, *place)


def renamed(option: str, value: Any, options: dict[str, Any]) -> str | None:
    """The same value under another name."""
    if option in options:
        return f"Leave it out: {option!r} is given, too."
    options[option] = value
    return None


def retries_field(name: str) -> Alias:
    """One of Kale's four settings that are fields of `Retries` here."""

    def put(option: str, value: Any, options: dict[str, Any]) -> str | None:
        retries = options.setdefault(option, {"count": 0})
        if not isinstance(retries, dict):
            return f"Leave it out and write it in {option}, as Retries(3, {name}=…)."
        retries[name] = value
        return None

    return put


def limits(_option: str, value: Any, options: dict[str, Any]) -> str | None:
    """Kale's ``limits={"cpu": "2", "nvidia.com/gpu": 1}``."""
    if not isinstance(value, Mapping):
        return 'Write cpu_limit="2", memory_limit="4Gi", gpu=1.'
    for resource, amount in value.items():
        if resource in {"cpu", "memory", "ephemeral-storage"}:
            options.setdefault(f"{resource.replace('-', '_')}_limit", amount)
        elif isinstance(resource, str) and "/" in resource:
            options.setdefault("accelerator", resource)
            options.setdefault("gpu", amount)
        else:
            return f"{resource!r} is not a resource; cpu, memory and 'nvidia.com/gpu' are."
    return None


def defaults(option: str, value: Any, options: dict[str, Any]) -> str | None:
    """Kale's ``steps_defaults``; what ``defaults`` holds itself wins."""
    given = options.get(option) or {}
    if not isinstance(value, Mapping) or not isinstance(given, Mapping):
        return 'Write all defaults in one dict: defaults={"memory": "2Gi"}.'
    options[option] = {**value, **given}
    return None


def default_of(name: str) -> Alias:
    """A setting of Kale's pipeline that is a default of the steps here."""

    def put(option: str, value: Any, options: dict[str, Any]) -> str | None:
        return defaults(option, {name: value}, options) if value else None

    return put


def default_volumes(option: str, value: Any, options: dict[str, Any]) -> str | None:
    """Kale's ``[{"name": …, "mount_point": …, "type": "pvc"}]``."""
    volumes = value if isinstance(value, (list, tuple)) else [value]
    if not all(isinstance(volume, Mapping) and volume.get("type") == "pvc" for volume in volumes):
        return 'Write defaults={"volumes": {"/data": "claim-name"}}; --kfp clones volumes.'
    claims = {volume.get("mount_point", ""): volume.get("name", "") for volume in volumes}
    return default_of("volumes")(option, claims, options)
