"""What each option of a step becomes on KFP, and which ones KFP cannot do."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from kalelite.errors import Problem, Where
from kalelite.plan.options import StepOptions, quantity
from kalelite.plan.options.values import (
    ConfigMapEnv,
    ConfigMapFiles,
    Retries,
    SecretEnv,
    SecretFiles,
    Toleration,
)

__all__ = ["NEWEST", "TaskConfig", "notes", "refusals", "task_config"]

NEWEST = "2.17"
"""The newest KFP release that this table was held against."""

_SINCE = {"volumes: sub_path": "2.16.0", "security_context": "2.16.0"}
_FOREVER = 30 * 24 * 3600
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class TaskConfig:
    """A task's settings in KFP's own terms.

    ``kubernetes`` is a KubernetesExecutorConfig as JSON; ``retry`` is the number of retries, the
    seconds before the first one and the factor.
    """

    cpu_request: str | None = None
    cpu_limit: str | None = None
    memory_request: str | None = None
    memory_limit: str | None = None
    accelerator: tuple[str, int] | None = None
    env: dict[str, str] = field(default_factory=dict)
    retry: tuple[int, int, float] | None = None
    display_name: str = ""
    ignore_failures: bool = False
    kubernetes: Json = field(default_factory=dict)


def task_config(options: StepOptions) -> TaskConfig:
    """The settings of a task whose options `refusals` has found nothing against."""
    gpu = options.gpu or 0
    return TaskConfig(
        cpu_request=_cpu(options.cpu),
        cpu_limit=_cpu(options.cpu_limit),
        memory_request=_memory(options.memory),
        memory_limit=_memory(options.memory_limit),
        accelerator=(options.accelerator or "nvidia.com/gpu", gpu) if gpu else None,
        env=dict(options.env),
        retry=_retry(options.retries),
        display_name=options.display_name or "",
        ignore_failures=bool(options.ignore_failures),
        kubernetes={name: part for name, part in _kubernetes(options).items() if part},
    )


def refusals(options: StepOptions, where: Where | None, version: str) -> list[Problem]:
    """One problem for each option that the KFP of that version cannot honour."""
    problems = []
    for name, since in _SINCE.items():
        if _uses(options, name) and _number(version) < _number(since):
            hint = f"It works from KFP {since}; this is for KFP {version}."
            problems.append(Problem(f"{name} needs KFP {since} or newer", hint, where))
    for what, hint in _never(options):
        problems.append(Problem(f"{what}: no KFP up to {NEWEST} can do it", hint, where))
    return problems


def notes(options: StepOptions) -> Iterator[str]:
    """What is true of an option on KFP and might surprise."""
    if options.cache:
        yield "cache=True: steps on KFP run anew in every run"
    if options.timeout and options.timeout != int(options.timeout):
        yield f"timeout: {math.ceil(options.timeout)} whole seconds"
    if options.packages:
        yield "packages: installed by pip when the pod starts"


def _uses(options: StepOptions, name: str) -> bool:
    if name == "security_context":
        return options.security_context is not None
    return any(volume.sub_path for volume in options.volumes)


def _never(options: StepOptions) -> Iterator[tuple[str, str]]:
    for name in ("ephemeral_storage", "ephemeral_storage_limit"):
        if getattr(options, name) is not None:
            yield name, "Leave it out on KFP, or write large files to a volume."
    if any(volume.read_only for volume in options.volumes):
        hint = "Mount it without read_only, or make the claim ReadOnlyMany."
        yield "volumes: a mount with read_only=True", hint
    retries = options.retries
    if retries is not None and retries.count:
        if retries.only:
            hint = "Leave only= out, or catch the errors in the step and try again there."
            yield "retries: only=, a retry for some errors", hint
        longest = retries.wait * retries.factor ** (retries.count - 1)
        if retries.longest_wait is not None and longest > retries.longest_wait:
            hint = f"The longest wait would be {longest:g} s: use fewer retries or factor=1."
            yield "retries: longest_wait=, a bound for one wait", hint
    for kind in ("podAffinity", "podAntiAffinity"):
        if kind in (options.affinity or {}):
            yield f"affinity: {kind}", "Use nodeAffinity or node_selector."


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def _cpu(text: str | None) -> str | None:
    """Cores as KFP reads them: ``2`` or ``1500m``, never ``1e3m``."""
    if text is None:
        return None
    thousandths = math.ceil(quantity.cores_of(text) * 1000)
    return f"{thousandths}m" if thousandths % 1000 else str(thousandths // 1000)


def _memory(text: str | None) -> str | None:
    """Bytes as KFP reads them: a whole number and a suffix, so ``1.5Gi`` is ``1536Mi``."""
    if text is None:
        return None
    count = quantity.size_of(text)
    for suffix, unit in (("Gi", 2**30), ("G", 10**9), ("Mi", 2**20), ("M", 10**6)):
        if count % unit == 0:
            return f"{count // unit}{suffix}"
    return str(count)


def _retry(retries: Retries | None) -> tuple[int, int, float] | None:
    if retries is None or not retries.count:
        return None
    return retries.count, math.ceil(retries.wait), retries.factor


def _kubernetes(options: StepOptions) -> Json:
    context = options.security_context
    fields = ("runAsUser", "runAsGroup", "runAsNonRoot")
    said = (context.run_as_user, context.run_as_group, context.run_as_non_root) if context else ()
    metadata = {"labels": dict(options.labels), "annotations": dict(options.annotations)}
    return {
        "pvcMount": [
            claim_mount(volume.claim, volume.path, volume.sub_path) for volume in options.volumes
        ],
        "secretAsEnv": _env(
            ((ref.secret, ref.key, ref.variable) for ref in _of(options.secrets, SecretEnv)),
            ("secretName", "secretNameParameter", "secretKey"),
        ),
        "secretAsVolume": [
            {"mountPath": ref.path, "optional": False}
            | _named("secretName", "secretNameParameter", ref.secret)
            for ref in _of(options.secrets, SecretFiles)
        ],
        "configMapAsEnv": _env(
            (
                (ref.config_map, ref.key, ref.variable)
                for ref in _of(options.config_maps, ConfigMapEnv)
            ),
            ("configMapName", "configMapNameParameter", "configMapKey"),
        ),
        "configMapAsVolume": [
            {"mountPath": ref.path, "optional": False}
            | _named("configMapName", "configMapNameParameter", ref.config_map)
            for ref in _of(options.config_maps, ConfigMapFiles)
        ],
        "nodeSelector": {"labels": dict(options.node_selector)} if options.node_selector else {},
        "tolerations": [_toleration(toleration) for toleration in options.tolerations],
        "nodeAffinity": _node_affinity((options.affinity or {}).get("nodeAffinity", {})),
        "podMetadata": {name: part for name, part in metadata.items() if part},
        "imagePullPolicy": options.pull_policy,
        "imagePullSecret": [
            _named("secretName", "secretNameParameter", name) for name in options.pull_secrets
        ],
        "securityContext": {
            name: value if isinstance(value, bool) else str(value)
            for name, value in zip(fields, said, strict=False)
            if value is not None
        },
        # A 64-bit number in protobuf's JSON is a text.
        "activeDeadlineSeconds": str(math.ceil(options.timeout)) if options.timeout else None,
    }


def claim_mount(claim: str, path: str, sub_path: str = "") -> Json:
    """A claim with a constant name, mounted; the older spelling of the name is for KFP below 2.14."""
    mount: Json = {"mountPath": path, "constant": claim}
    mount["pvcNameParameter"] = {"runtimeValue": {"constant": claim}}
    return {**mount, "subPath": sub_path} if sub_path else mount


def _named(field_name: str, parameter: str, name: str) -> Json:
    return {field_name: name, parameter: {"runtimeValue": {"constant": name}}}


def _of(values: tuple[Any, ...], kind: type) -> list[Any]:
    return [value for value in values if isinstance(value, kind)]


def _env(triples: Iterator[tuple[str, str, str]], fields: tuple[str, str, str]) -> list[Json]:
    """Environment variables from keys, one entry for each Secret or ConfigMap."""
    entries: dict[str, Json] = {}
    for name, key, variable in triples:
        entry = entries.setdefault(
            name, {**_named(fields[0], fields[1], name), "keyToEnv": [], "optional": False}
        )
        entry["keyToEnv"].append({fields[2]: key, "envVar": variable})
    return list(entries.values())


def _toleration(toleration: Toleration) -> Json:
    said: Json = {
        "key": toleration.key,
        "operator": toleration.operator,
        "value": toleration.value,
        "effect": toleration.effect,
    }
    said = {name: value for name, value in said.items() if value}
    if toleration.seconds is not None:
        said["tolerationSeconds"] = str(toleration.seconds)
    return said


def _node_affinity(affinity: Json) -> list[Json]:
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution", {})
    preferred = affinity.get("preferredDuringSchedulingIgnoredDuringExecution", [])
    terms = [dict(term) for term in required.get("nodeSelectorTerms", [])]
    return terms + [{**term["preference"], "weight": term["weight"]} for term in preferred]
