"""What each option becomes on KFP, and what KFP cannot do of it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from kalelite.errors import Problem, Where
from kalelite.frozen import frozen
from kalelite.plan.options import PIPELINE_OPTIONS, STEP_OPTIONS, StepOptions, quantity
from kalelite.plan.options.treatment import Handled, Noted, Refused, treatments
from kalelite.plan.options.values import (
    ConfigMapEnv,
    Retries,
    SecretEnv,
    SecurityContext,
    Toleration,
    Volume,
)

NEWEST = "2.17"
"""The newest KFP release that this table was held against."""

OLDEST = "2.14"
"""The oldest KFP release that is supported."""

_FOREVER = f"{30 * 24 * 3600}s"
Json = dict[str, Any]
Write = Callable[[Any, Any, StepOptions], object]


def _nothing(_task: Any, _value: Any, _options: StepOptions) -> None:
    """For what the task's component, or another option, takes care of."""


@frozen
class OnTask(Handled):
    """An option that is given to a task of KFP.

    ``write`` takes kfp's task, the value, and all options of the step. ``since`` is the first
    release of KFP that does it; ``lacks`` yields a phrase and a hint for what a release cannot do
    of a value, ``note`` what is true of a value and might surprise. ``in_pod``: for Python steps
    the executor does it, in the pod, so all this is about containers.
    """

    write: Write = _nothing
    since: str = OLDEST
    lacks: Callable[[Any, str], Iterable[tuple[str, str]]] | None = None
    note: Callable[[Any], Iterable[str]] | None = None
    in_pod: bool = False


def configure(task: Any, options: StepOptions, *, container: bool = False) -> None:
    """Give one of kfp's tasks its options; `refusals` has found nothing against them.

    KFP's own cache stays off: it is never right for a task with a volume.
    """
    task.set_caching_options(False)
    for name, value in options.explicit().items():
        treatment = KFP_STEP_OPTIONS[name]
        if isinstance(treatment, OnTask) and (container or not treatment.in_pod):
            treatment.write(task, value, options)


def refusals(
    options: StepOptions, where: Where | None, version: str, *, container: bool = False
) -> list[Problem]:
    """One problem for each option that the KFP of that version cannot honour."""
    return [
        Problem(message, hint, where)
        for name, value in options.explicit().items()
        for message, hint in _lacking(name, value, version, container)
    ]


def notes(options: StepOptions, *, container: bool = False) -> Iterator[str]:
    """What is true of an option on KFP and might surprise."""
    for name, value in options.explicit().items():
        treatment = KFP_STEP_OPTIONS[name]
        if isinstance(treatment, OnTask) and treatment.note:
            if treatment.in_pod and not container:
                continue
            yield from treatment.note(value)
        elif isinstance(treatment, Noted) and value:
            yield f"{name}={value!r}: {treatment.instead}"


def _lacking(name: str, value: Any, version: str, container: bool) -> Iterator[tuple[str, str]]:
    treatment = KFP_STEP_OPTIONS[name]
    if isinstance(treatment, Refused):
        yield _never(name, treatment.hint)
    elif isinstance(treatment, OnTask):
        yield from _needs(name, treatment.since, version)
        if treatment.lacks and (container or not treatment.in_pod):
            yield from treatment.lacks(value, version)


def _needs(what: str, since: str, version: str) -> Iterator[tuple[str, str]]:
    if _number(version) < _number(since):
        hint = f"It works from KFP {since}; this is for KFP {version}."
        yield f"{what} needs KFP {since} or newer", hint


def _never(what: str, hint: str) -> tuple[str, str]:
    return f"{what}: no KFP up to {NEWEST} can do it", hint


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


# --- what KFP cannot do of a value -----------------------------------------------------------


def _lacks_volumes(volumes: tuple[Volume, ...], version: str) -> Iterator[tuple[str, str]]:
    for volume in volumes:
        if volume.read_only:
            hint = "Leave it out on KFP, or mount a claim that is ReadOnlyMany itself."
            yield _never(f"volumes: read_only= of {volume.claim!r}", hint)
    if any(volume.sub_path for volume in volumes):
        yield from lacks_sub_path(version)


def lacks_sub_path(version: str) -> Iterator[tuple[str, str]]:
    """Why this KFP cannot mount a folder of a claim, and what to do; nothing if it can."""
    yield from _needs("volumes: sub_path", "2.16.0", version)


def _lacks_retries(retries: Retries, _version: str) -> Iterator[tuple[str, str]]:
    if not retries.count:
        return
    if retries.only:
        hint = "Leave only= out, or catch the errors in the step and try again there."
        yield _never("retries: only=, a retry for some errors", hint)
    longest = retries.wait * retries.factor ** (retries.count - 1)
    if retries.max_wait is not None and longest > retries.max_wait:
        hint = f"The longest wait would be {longest:g} s: use fewer retries or factor=1."
        yield _never("retries: max_wait=, a bound for one wait", hint)


def _lacks_affinity(affinity: Json, _version: str) -> Iterator[tuple[str, str]]:
    for kind in ("podAffinity", "podAntiAffinity"):
        if kind in affinity:
            yield _never(f"affinity: {kind}", "Use nodeAffinity or node_selector.")


# --- writing a value to kfp's task -----------------------------------------------------------


def _cores(text: str) -> str:
    """Cores as KFP reads them: ``2`` or ``1500m``, never ``1e3m``."""
    thousandths = math.ceil(quantity.parse(text) * 1000)
    return f"{thousandths}m" if thousandths % 1000 else str(thousandths // 1000)


def _bytes(text: str) -> str:
    """Bytes as KFP reads them: a whole number and a suffix, so ``1.5Gi`` is ``1536Mi``."""
    count = quantity.size_of(text)
    for suffix, unit in (("Gi", 2**30), ("G", 10**9), ("Mi", 2**20), ("M", 10**6)):
        if count % unit == 0:
            return f"{count // unit}{suffix}"
    return str(count)


def _set(method: str, spelled: Callable[[Any], Any] = lambda value: value) -> Write:
    """Gives the value to a method of kfp's task."""
    return lambda task, value, _: getattr(task, method)(spelled(value))


def _field(*path: str, spelled: Callable[[Any], Any]) -> Write:
    """Puts the value into the task's KubernetesExecutorConfig, which is JSON here."""

    def write(task: Any, value: Any, _options: StepOptions) -> None:
        if part := spelled(value):
            config = task.platform_config
            for name in ("kubernetes", *path[:-1]):
                config = config.setdefault(name, {})
            config[path[-1]] = part

    return write


def _references(
    env: type[SecretEnv | ConfigMapEnv], prefix: str, name: Callable[[Any], str]
) -> Write:
    """Secrets or config maps, as variables and as files."""
    names = (f"{prefix}Name", f"{prefix}NameParameter")

    def write(task: Any, value: tuple[Any, ...], _options: StepOptions) -> None:
        variables: dict[str, Json] = {}
        files: list[Json] = []
        for each in value:
            named: Json = {**_named(*names, name(each)), "optional": False}
            if isinstance(each, env):
                entry = variables.setdefault(name(each), {**named, "keyToEnv": []})
                entry["keyToEnv"].append({f"{prefix}Key": each.key, "envVar": each.variable})
            else:
                files.append({"mountPath": each.path, **named})
        kubernetes = task.platform_config.setdefault("kubernetes", {})
        if variables:
            kubernetes[f"{prefix}AsEnv"] = list(variables.values())
        if files:
            kubernetes[f"{prefix}AsVolume"] = files

    return write


def _named(field: str, parameter: str, name: str) -> Json:
    """A constant name; ``field`` is what KFP before 2.14 reads."""
    return {field: name, parameter: {"runtimeValue": {"constant": name}}}


def _gpus(task: Any, count: int, options: StepOptions) -> None:
    if count:
        task.set_accelerator_type(options.accelerator or "nvidia.com/gpu")
        task.set_accelerator_limit(count)


def _env(task: Any, env: dict[str, str], _options: StepOptions) -> None:
    for name, value in env.items():
        task.set_env_variable(name, value)


def _retries(task: Any, retries: Retries, _options: StepOptions) -> None:
    if retries.count:
        # KFP's longest duration is that of all attempts together, and an hour unless it is given.
        wait = f"{math.ceil(retries.wait)}s"
        task.set_retry(retries.count, wait, retries.factor, _FOREVER)


def _mounts(volumes: tuple[Volume, ...]) -> list[Json]:
    return [
        {"mountPath": volume.path}
        | _named("constant", "pvcNameParameter", volume.claim)
        | ({"subPath": volume.sub_path} if volume.sub_path else {})
        for volume in volumes
    ]


def _tolerations(tolerations: tuple[Toleration, ...]) -> list[Json]:
    return [
        _present(
            key=toleration.key or None,
            operator=toleration.operator,
            value=toleration.value or None,
            effect=toleration.effect or None,
            tolerationSeconds=_int64(toleration.seconds),
        )
        for toleration in tolerations
    ]


def _node_affinity(affinity: Json) -> list[Json]:
    node = affinity.get("nodeAffinity", {})
    required = node.get("requiredDuringSchedulingIgnoredDuringExecution", {})
    preferred = node.get("preferredDuringSchedulingIgnoredDuringExecution", [])
    terms = [dict(term) for term in required.get("nodeSelectorTerms", [])]
    return terms + [{**term["preference"], "weight": term["weight"]} for term in preferred]


def _security_context(context: SecurityContext) -> Json:
    return _present(
        runAsUser=_int64(context.run_as_user),
        runAsGroup=_int64(context.run_as_group),
        runAsNonRoot=context.run_as_non_root,
    )


def _present(**fields: Any) -> Json:
    return {name: value for name, value in fields.items() if value is not None}


def _int64(number: float | None) -> str | None:
    """A whole number, rounded up; one of 64 bits is a text in protobuf's JSON."""
    return None if number is None else str(math.ceil(number))


def _note_timeout(timeout: float) -> Iterator[str]:
    yield f"timeout: {math.ceil(timeout)} s from the start of the container's pod, image pull included"


def _note_retries(retries: Retries) -> Iterator[str]:
    if retries.count:
        yield "retries: KFP 2.17 as shipped does not try a container again that ends with an error"


def _note_cache(cache: bool) -> Iterator[str]:
    if cache:
        yield "cache: containers on KFP run anew in every run"


# --- the tables ------------------------------------------------------------------------------

KFP_STEP_OPTIONS = treatments(
    STEP_OPTIONS,
    {
        "name": OnTask("also the task's name in the graph"),
        "display_name": OnTask("also in the graph of the run", write=_set("set_display_name")),
        "cpu": OnTask("request", write=_set("set_cpu_request", _cores)),
        "cpu_limit": OnTask("limit", write=_set("set_cpu_limit", _cores)),
        "memory": OnTask(
            "request, and what the step may have", write=_set("set_memory_request", _bytes)
        ),
        "memory_limit": OnTask("limit", write=_set("set_memory_limit", _bytes)),
        "gpu": OnTask("limit of the accelerator", write=_gpus),
        "accelerator": OnTask(),
        "ephemeral_storage": Refused(
            "no release can request it", "Leave it out on KFP, or write large files to a volume."
        ),
        "ephemeral_storage_limit": Refused(
            "no release can limit it", "Leave it out on KFP, or write large files to a volume."
        ),
        "retries": OnTask(
            "in the same pod; of containers by KFP",
            except_for="`only` of containers, and their `max_wait` where it would shorten a wait",
            write=_retries,
            lacks=_lacks_retries,
            note=_note_retries,
            in_pod=True,
        ),
        "timeout": OnTask(
            "of each attempt in the pod; of containers that of the pod",
            write=_field("activeDeadlineSeconds", spelled=_int64),
            note=_note_timeout,
            in_pod=True,
        ),
        "cache": OnTask(
            "where the marshal volume is a claim that stays",
            except_for="containers",
            note=_note_cache,
            in_pod=True,
        ),
        "ignore_failures": OnTask(),
        "image": OnTask(),
        "packages": OnTask(
            "installed by pip when the pod starts",
            note=lambda _: ["packages: installed by pip when the pod starts"],
        ),
        "env": OnTask(write=_env),
        "secrets": OnTask(write=_references(SecretEnv, "secret", lambda each: each.secret)),
        "config_maps": OnTask(
            write=_references(ConfigMapEnv, "configMap", lambda each: each.config_map)
        ),
        "volumes": OnTask(
            except_for="`read_only`, and `sub_path` before 2.16",
            write=_field("pvcMount", spelled=_mounts),
            lacks=_lacks_volumes,
        ),
        "node_selector": OnTask(write=_field("nodeSelector", "labels", spelled=dict)),
        "tolerations": OnTask(write=_field("tolerations", spelled=_tolerations)),
        "affinity": OnTask(
            except_for="`podAffinity` and `podAntiAffinity`",
            write=_field("nodeAffinity", spelled=_node_affinity),
            lacks=_lacks_affinity,
        ),
        "labels": OnTask(write=_field("podMetadata", "labels", spelled=dict)),
        "annotations": OnTask(write=_field("podMetadata", "annotations", spelled=dict)),
        "pull_policy": OnTask(write=_field("imagePullPolicy", spelled=str)),
        "pull_secrets": OnTask(
            write=_field(
                "imagePullSecret",
                spelled=lambda names: [
                    _named("secretName", "secretNameParameter", each) for each in names
                ],
            )
        ),
        "security_context": OnTask(
            since="2.16.0", write=_field("securityContext", spelled=_security_context)
        ),
    },
)

KFP_PIPELINE_OPTIONS = treatments(
    PIPELINE_OPTIONS,
    {
        "name": Handled(),
        "description": Handled("shown with the pipeline"),
        "experiment": Noted("it is chosen when a run is created"),
        "order": Handled(),
        "marshal": Handled(),
        "marshal_volume": Handled(),
        "marshal_volume_size": Handled(),
        "marshal_path": Handled(),
        "pods": Handled(),
        "defaults": Handled(),
    },
)
