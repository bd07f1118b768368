"""Options with a structure: their friendly spellings, checked and brought to one form.

What a user wrote is never looked up in a set: it may have no hash.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple, replace
from typing import Any

from kalelite.errors import UsageError
from kalelite.plan import names
from kalelite.plan.options import duration, values

_MOST_RETRIES = 100
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt")
_STRENGTHS = ("preferred", "required")
_LARGEST_ID = 2**31 - 1
_OF_KUBERNETES = {
    "tolerationSeconds": "seconds",
    "runAsUser": "run_as_user",
    "runAsGroup": "run_as_group",
    "runAsNonRoot": "run_as_non_root",
}
"""Fields that Kubernetes spells otherwise."""


def retries(value: Any, name: str) -> values.Retries:
    """``3``, ``Retries(3, wait=10)`` or a dict of its fields."""
    example = "Write retries=3 or retries=Retries(3, wait='10s', factor=2)."
    if not isinstance(value, (values.Retries, Mapping)):
        value = {"count": value}
    given = _fields(value, values.Retries, name, example)
    count = given.get("count", 0)
    if isinstance(count, bool) or not isinstance(count, int):
        raise UsageError(f"{name}={count!r} is not a whole number", hint=example)
    if not 0 <= count <= _MOST_RETRIES:
        problem = "is negative" if count < 0 else f"is more than {_MOST_RETRIES}"
        raise UsageError(f"{name}={count!r} {problem}", hint=example)
    factor = 1.0 if given.get("factor") is None else given["factor"]
    if isinstance(factor, bool) or not isinstance(factor, (int, float)) or not 1 <= factor <= 1000:
        raise UsageError(f"{name}: factor={factor!r} is not a number from 1 to 1000", hint=example)
    return values.Retries(
        count=count,
        wait=_wait(given.get("wait"), f"{name}: wait") or 0.0,
        factor=float(factor),
        max_wait=_wait(given.get("max_wait"), f"{name}: max_wait"),
        only=_errors(given.get("only"), f"{name}: only"),
    )


def _wait(value: Any, name: str) -> float | None:
    if value is None:
        return None
    if value in (0, "0"):
        return 0.0
    if isinstance(value, (int, float)) and value < 0:
        raise UsageError(f"{name}={value!r} is negative", hint="Write seconds, or 0 for no wait.")
    return duration.seconds(value, name=name)


def _errors(value: Any, name: str) -> tuple[str, ...]:
    """Exception classes, or their names, as names."""
    entries = value if isinstance(value, (list, tuple, set, frozenset)) else [value]
    result = []
    for entry in entries if value else ():
        if isinstance(entry, type) and issubclass(entry, BaseException):
            prefix = "" if entry.__module__ == "builtins" else f"{entry.__module__}."
            result.append(prefix + entry.__qualname__)
        elif isinstance(entry, str) and all(part.isidentifier() for part in entry.split(".")):
            result.append(entry.removeprefix("builtins."))
        else:
            hint = "Write only=(ConnectionError, TimeoutError)."
            raise UsageError(f"{name}={entry!r} is not an exception class or its name", hint=hint)
    return tuple(result)


def secrets(value: Any, name: str) -> tuple[values.SecretEnv | values.SecretFiles, ...]:
    """``{"TOKEN": ("secret", "key"), "/etc/creds": "secret"}`` or a list of the two classes."""
    return _sources(value, name, (values.SecretEnv, values.SecretFiles))


def config_maps(value: Any, name: str) -> tuple[values.ConfigMapEnv | values.ConfigMapFiles, ...]:
    """``{"MODE": ("map", "key"), "/etc/settings": "map"}`` or a list of the two classes."""
    return _sources(value, name, (values.ConfigMapEnv, values.ConfigMapFiles))


def _sources(value: Any, name: str, kinds: tuple[type[Any], type[Any]]) -> tuple[Any, ...]:
    env, files = kinds
    example = f'Write {name}={{"VARIABLE": ("object-name", "key"), "/folder": "object-name"}}.'
    result: dict[str, Any] = {}
    for named, given in _entries(value, kinds, name, example):
        target, *rest = astuple(given) if isinstance(given, kinds) else (named, given)
        entry = rest[0] if len(rest) == 1 else rest
        if named is not None and named != target:
            raise UsageError(f"{name}: {named!r} holds {given!r}", hint=f"Key it by {target!r}.")
        about = f"{name}: {target!r}"
        if isinstance(target, str) and target.startswith("/"):
            if not isinstance(entry, str):
                hint = f"Write {{{target!r}: 'object-name'}}."
                raise UsageError(f"{about} is not given one name but {entry!r}", hint=hint)
            target = names.mount_path(target, name=name)
            source = files(target, names.object_name(entry, name=about))
        else:
            names.env_name(target, name=name)
            if not (isinstance(entry, (tuple, list)) and len(entry) == 2):
                hint = f'Write {{{target!r}: ("object-name", "key")}}; for files, key it by a path.'
                raise UsageError(f"{about} needs a name and a key, not {entry!r}", hint=hint)
            owner, key = entry
            source = env(target, names.object_name(owner, name=about), _key(key, about))
        if target in result:
            raise UsageError(f"{about} is given twice", hint="Leave one of them out.")
        result[target] = source
    return tuple(result.values())


def _key(value: Any, name: str) -> str:
    if not isinstance(value, str) or re.fullmatch(r"[-._a-zA-Z0-9]{1,253}", value) is None:
        hint = "A key holds letters, digits, '-', '_' and '.'."
        raise UsageError(f"{name}: {value!r} is not a key", hint=hint)
    return value


def volumes(value: Any, name: str) -> tuple[values.Volume, ...]:
    """``{"/data": "claim"}``, ``{"/data": Volume(…)}`` or a list of `Volume`."""
    example = f'Write {name}={{"/data": "claim-name"}} or {name}=[Volume("claim-name", "/data")].'
    result: dict[str, values.Volume] = {}
    for path, entry in _entries(value, (values.Volume,), name, example):
        if isinstance(entry, values.Volume):
            volume = entry
            if path is not None and path.rstrip("/") != entry.path.rstrip("/"):
                raise UsageError(f"{name}: {path!r} holds a volume at {entry.path!r}", hint=example)
        elif isinstance(entry, str):
            volume = values.Volume(entry, path)
        else:
            raise UsageError(
                f"{name}: {path!r} holds {entry!r}, not the name of a claim", hint=example
            )
        names.object_name(volume.claim, name=f"{name}: claim")
        if not isinstance(volume.read_only, bool):
            raise UsageError(f"{name}: read_only={volume.read_only!r} is not True or False")
        sub_path = volume.sub_path
        if not isinstance(sub_path, str) or sub_path.startswith("/") or ".." in sub_path.split("/"):
            hint = "Write a folder inside the volume, such as 'project/data'."
            raise UsageError(f"{name}: sub_path={sub_path!r} leads out of the volume", hint=hint)
        target = names.mount_path(volume.path, name=name)
        if target in result:
            raise UsageError(f"{name}: {target!r} is given twice", hint="Leave one of them out.")
        result[target] = replace(volume, path=target)
    return tuple(result.values())


def tolerations(value: Any, name: str) -> tuple[values.Toleration, ...]:
    """A list of `Toleration`, of dicts as in Kubernetes, or of ``"key=value:Effect"``."""
    example = f'Write {name}=["key=value:NoSchedule"] or {name}=[Toleration("key", value="value")].'
    if not isinstance(value, (list, tuple)):
        raise UsageError(f"{name}={value!r} is not a list", hint=example)
    return tuple(_toleration(entry, name, example) for entry in value)


def _toleration(value: Any, name: str, example: str) -> values.Toleration:
    if isinstance(value, str):
        taint, _, effect = value.partition(":")
        key, equals, wanted = taint.partition("=")
        result = values.Toleration(key, "Equal" if equals else "Exists", wanted, effect)
    else:
        result = values.Toleration(**_fields(value, values.Toleration, name, example))
    if result.operator not in ("Equal", "Exists"):
        hint = "Write 'Equal' or 'Exists'."
        raise UsageError(f"{name}: operator={result.operator!r} does not exist", hint=hint)
    if result.effect not in ("", *_EFFECTS):
        hint = f"Write {', '.join(_EFFECTS)}, or leave it out for all of them."
        raise UsageError(f"{name}: effect={result.effect!r} does not exist", hint=hint)
    if result.operator == "Exists" and result.value:
        raise UsageError(f"{name}: operator 'Exists' takes no value", hint="Leave the value out.")
    if result.key:
        names.label_key(result.key, name=name)
    elif result.operator != "Exists":
        raise UsageError(f"{name}: a toleration without a key", hint="Name the taint's key.")
    names.label_value(result.value, name="labels")
    if result.seconds is not None and (
        type(result.seconds) is not int or result.effect != "NoExecute"
    ):
        hint = "It is a whole number and goes with the effect 'NoExecute' only."
        raise UsageError(f"{name}: seconds={result.seconds!r} cannot be used here", hint=hint)
    return result


def affinity(value: Any, name: str) -> dict[str, Any]:
    """A Kubernetes affinity as a dict: ``nodeAffinity``, ``podAffinity``, ``podAntiAffinity``."""
    kinds = ("nodeAffinity", "podAffinity", "podAntiAffinity")
    example = f'Write {name}={{"nodeAffinity": {{…}}}}, as in the pod spec of Kubernetes.'
    if not isinstance(value, Mapping) or not value:
        raise UsageError(f"{name}={value!r} is not a dict", hint=example)
    for key, part in value.items():
        if key not in kinds:
            hint = f"The kinds are {', '.join(kinds)}."
            raise UsageError(f"{name}: {key!r} is not a kind of affinity", hint=hint)
        terms = [f"{each}DuringSchedulingIgnoredDuringExecution" for each in _STRENGTHS]
        if not isinstance(part, Mapping) or not part or not set(part).issubset(terms):
            hint = f"It holds {' and '.join(terms)}."
            raise UsageError(f"{name}: {key!r} holds {part!r}", hint=hint)
        for operator in _operators(part):
            if operator not in _OPERATORS:
                hint = f"The operators are {', '.join(_OPERATORS)}."
                raise UsageError(f"{name}: operator={operator!r} does not exist", hint=hint)
    try:
        copy: dict[str, Any] = json.loads(json.dumps(dict(value), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise UsageError(f"{name} cannot be written as JSON: {error}", hint=example) from None
    return copy


def _operators(part: Any) -> Iterator[Any]:
    """All operators in a part of an affinity."""
    if isinstance(part, Mapping):
        for key, value in part.items():
            if key == "operator":
                yield value
            yield from _operators(value)
    elif isinstance(part, (list, tuple)):
        for entry in part:
            yield from _operators(entry)


def security_context(value: Any, name: str) -> values.SecurityContext:
    """A `SecurityContext` or a dict of its fields."""
    example = f"Write {name}=SecurityContext(run_as_user=1000, run_as_group=100)."
    context = values.SecurityContext(**_fields(value, values.SecurityContext, name, example))
    for field in ("run_as_user", "run_as_group"):
        number = getattr(context, field)
        if number is not None and (type(number) is not int or not 0 <= number <= _LARGEST_ID):
            raise UsageError(
                f"{name}: {field}={number!r} is not a number of a user or group", hint=example
            )
    careful = context.run_as_non_root
    if not isinstance(careful, (bool, type(None))):
        raise UsageError(f"{name}: run_as_non_root={careful!r} is not True or False")
    if careful and context.run_as_user == 0:
        message = f"{name}: run_as_user=0 is root, and run_as_non_root forbids it"
        raise UsageError(message, hint=example)
    return context


def _entries(
    value: Any, classes: tuple[type, ...], name: str, example: str
) -> Iterable[tuple[Any, Any]]:
    """The entries of a dict, or of a list of objects that name their own place."""
    if isinstance(value, Mapping):
        return list(value.items())
    if isinstance(value, (list, tuple)) and all(isinstance(entry, classes) for entry in value):
        return [(None, entry) for entry in value]
    raise UsageError(f"{name}={value!r} is not a dict", hint=example)


def _fields(value: Any, kind: type[Any], name: str, example: str) -> dict[str, Any]:
    """The fields of a class, from an object of it or a dict of them."""
    known = kind.__slots__
    if isinstance(value, kind):
        return {key: getattr(value, key) for key in known}
    if not isinstance(value, Mapping):
        raise UsageError(f"{name}: {value!r} is not a {kind.__name__}", hint=example)
    given = {_OF_KUBERNETES.get(key, str(key)): part for key, part in value.items()}
    for key in given.keys() - set(known):
        raise UsageError(f"{name}: {key!r} is not a part of it", hint=example)
    return given
