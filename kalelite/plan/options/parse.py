"""From what a user writes for a simple option to its one normal form; UsageError for the rest."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from kalelite.errors import UsageError
from kalelite.plan import names
from kalelite.plan.options import secrecy

# Patterns are compiled on first use, by `re`: a start needs none of them.
_IMAGE = (
    r"(?a)(?:(?P<host>[A-Za-z0-9.-]+(?::[0-9]+)?|\[[0-9a-fA-F:]+\](?::[0-9]+)?)/)?"
    r"(?P<path>[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?"
    r"(?:@(?P<digest>[A-Za-z0-9]+:[0-9a-fA-F]{32,}))?"
)
_TAGS = {"latest", "stable", "edge", "main", "master", "dev", "nightly"}
# What PEP 508 allows, roughly: a plan takes the standard library only, and pip decides in the end.
_VERSION = r"(?:===|==|~=|!=|<=|>=|<|>)\s*[A-Za-z0-9*+!._-]+"
_REQUIREMENT = (
    r"(?a)[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?\s*(?:\[[A-Za-z0-9._,\s-]*\])?\s*"
    rf"(?:@\s*\S+|{_VERSION}(?:\s*,\s*{_VERSION})*\s*,?)?\s*(?:;.*)?"
)
_POLICIES = {"always": "Always", "ifnotpresent": "IfNotPresent", "never": "Never"}
_MOST_GPUS = 1024


def text(value: Any, name: str) -> str:
    if not isinstance(value, str) or not value.strip():
        what = "empty" if isinstance(value, str) else "not a text"
        raise UsageError(f"{name}={value!r} is {what}", hint="Write a text, or leave it out.")
    return value


def flag(value: Any, name: str) -> bool:
    if not isinstance(value, bool):
        raise UsageError(f"{name}={value!r} is not True or False", hint=f"Write {name}=True.")
    return value


def short_text(value: Any, name: str) -> str:
    line = text(value, name)
    if len(line) > 200 or any(ord(char) < 32 for char in line):
        hint = "Write a short name in one line."
        raise UsageError(f"{name}={line[:60]!r} is not a name", hint=hint)
    return line


def image(value: Any, name: str) -> str:
    reference = text(value, name)
    if re.fullmatch(_IMAGE, reference) is None:
        lower = reference.strip().lower()
        good = lower if re.fullmatch(_IMAGE, lower) else "registry/name:tag"
        raise UsageError(
            f"{name}={reference!r} is not the name of an image", hint=f"Write it as {good!r}."
        )
    if reference in _TAGS:
        hint = f"Write the image before it, as 'python:{reference}'."
        raise UsageError(f"{name}={reference!r} is a tag, not the name of an image", hint=hint)
    return reference


def gpu(value: Any, name: str) -> int:
    number = int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value
    if isinstance(number, bool) or not isinstance(number, int):
        hint = "A part of a gpu cannot be requested." if isinstance(number, float) else ""
        raise UsageError(f"{name}={value!r} is not a whole number", hint=hint or f"Write {name}=1.")
    if not 0 <= number <= _MOST_GPUS:
        raise UsageError(
            f"{name}={value!r} is not a number from 0 to {_MOST_GPUS}", hint=f"Write {name}=1."
        )
    return number


def accelerator(value: Any, name: str) -> str:
    resource = text(value, name)
    if "/" not in resource:
        known = {"nvidia": "nvidia.com/gpu", "amd": "amd.com/gpu", "tpu": "google.com/tpu"}
        raise UsageError(
            f"{name}={resource!r} is not the name of a resource",
            hint=f"Write it with its domain, as {known.get(resource.lower(), 'nvidia.com/gpu')!r}.",
        )
    return names.label_key(resource, name=name)


def pull_policy(value: Any, name: str) -> str:
    policy = _POLICIES.get(text(value, name).lower())
    if policy is None:
        hint = "Write 'Always', 'IfNotPresent' or 'Never'."
        raise UsageError(f"{name}={value!r} is not a pull policy", hint=hint)
    return policy


def _list(value: Any, name: str) -> tuple[Any, ...]:
    if isinstance(value, str) or not isinstance(value, (list, tuple, set, frozenset)):
        raise UsageError(f"{name}={value!r} is not a list", hint=f"Write {name}=[{value!r}].")
    return tuple(sorted(value, key=str)) if isinstance(value, (set, frozenset)) else tuple(value)


def pull_secrets(value: Any, name: str) -> tuple[str, ...]:
    return tuple(names.object_name(entry, name=name) for entry in _list(value, name))


def packages(value: Any, name: str) -> tuple[str, ...]:
    entries = _list(value, name)
    for entry in entries:
        if re.fullmatch(_REQUIREMENT, text(entry, name).strip()) is None:
            hint = "Write what pip takes as a requirement, such as 'pandas' or 'pandas>=2,<3'."
            raise UsageError(f"{name}: {entry!r} is not a package", hint=hint)
    return tuple(dict.fromkeys(entry.strip() for entry in entries))


def _mapping(value: Any, name: str, example: str) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise UsageError(f"{name}={value!r} is not a dict", hint=f"Write {name}={example}.")
    for key, entry in value.items():
        if not isinstance(entry, str):
            hint = f'Write {{{key!r}: "{entry}"}}.'
            if entry is None:
                hint = f"Leave {key!r} out, or give it a text."
            raise UsageError(f"{name}: the value of {key!r} is {entry!r}, not a text", hint=hint)
    return dict(value)


def env(value: Any, name: str) -> dict[str, str]:
    result = _mapping(value, name, '{"NAME": "value"}')
    for variable, content in result.items():
        names.env_name(variable, name=name)
        if "\0" in content:
            message = f"{name}: the value of {variable!r} holds a NUL character"
            raise UsageError(message, hint="No variable can hold it; hand it on in a file.")
        if reason := secrecy.secret_reason(variable, content):
            raise UsageError(
                f"{name}: {variable!r} {reason}, and this text would stand in the pipeline in the clear",
                hint=f'Write secrets={{{variable!r}: ("name-of-the-secret", "key")}}; if it is no secret, '
                f"{{{variable!r}: kalelite.NotSecret(…)}}.",
            )
    return result


def pod_labels(value: Any, name: str) -> dict[str, str]:
    result = _mapping(value, name, '{"team": "research"}')
    for key, content in result.items():
        names.label_key(key, name=name)
        names.label_value(content, name=name)
    return result


def pod_annotations(value: Any, name: str) -> dict[str, str]:
    result = _mapping(value, name, '{"example.com/owner": "a text"}')
    for key in result:
        names.label_key(key, name=name)
    if sum(len(key) + len(content.encode()) for key, content in result.items()) > 256 * 1024:
        raise UsageError(f"{name} are larger than 256 KiB", hint="Put the data in a config map.")
    return result


def claim_or_flag(value: Any, name: str) -> bool | str:
    if isinstance(value, bool):
        return value
    if not isinstance(value, str):
        hint = f'Write {name}=True for one of each run, or {name}="claim-name" for a lasting one.'
        raise UsageError(f"{name}={value!r} is not True, False or the name of a claim", hint=hint)
    return names.object_name(value, name=name)


def order(value: Any, name: str) -> str:
    if value not in ("data", "calls"):  # not a set: the value may have no hash
        raise UsageError(f"{name}={value!r} is not an order", hint="Write 'data' or 'calls'.")
    return str(value)


def marshal(value: Any, name: str) -> str:
    if value not in ("volume", "artifacts"):
        hint = "Write 'volume' or 'artifacts'."
        if value is True or (isinstance(value, str) and value):
            hint += f" For a volume: marshal_volume={value!r}."
        raise UsageError(f"{name}={value!r} is no way for values", hint=hint)
    return str(value)


def pods(value: Any, name: str) -> str:
    if value not in ("few", "each"):
        raise UsageError(f"{name}={value!r} says nothing of pods", hint="Write 'few' or 'each'.")
    return str(value)


def keyword_arguments(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        hint = f'Write the options of every step as a dict: {name}={{"memory": "2Gi"}}.'
        raise UsageError(f"{name}={value!r} is not a dict of options", hint=hint)
    return value
