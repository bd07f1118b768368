"""From what a user writes for an option to its one normal form; `UsageError` for the rest."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from kalelite.errors import UsageError
from kalelite.plan import names
from kalelite.plan.options import duration, parts, quantity, secrecy

__all__ = ["PIPELINE", "STEP", "Parser", "join"]

Parser = Callable[[Any, str], Any]
"""Takes a value and the option's name; returns the normal form."""

_IMAGE = re.compile(
    r"(?:(?P<host>[A-Za-z0-9.-]+(?::[0-9]+)?|\[[0-9a-fA-F:]+\](?::[0-9]+)?)/)?"
    r"(?P<path>[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?"
    r"(?:@(?P<digest>[A-Za-z0-9]+:[0-9a-fA-F]{32,}))?",
    re.ASCII,
)
_TAGS = {"latest", "stable", "edge", "main", "master", "dev", "nightly"}
_VERSION = r"(?:===|==|~=|!=|<=|>=|<|>)\s*[A-Za-z0-9*+!._-]+"
_REQUIREMENT = re.compile(
    r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?\s*(?:\[[A-Za-z0-9._,\s-]*\])?\s*"
    rf"(?:@\s*\S+|{_VERSION}(?:\s*,\s*{_VERSION})*\s*,?)?\s*(?:;.*)?",
    re.ASCII,
)
_POLICIES = {"always": "Always", "ifnotpresent": "IfNotPresent", "never": "Never"}
_MOST_GPUS = 1024


def join(name: str, lower: Any, upper: Any) -> Any:
    """The value of an option that is said twice; ``upper`` is nearer to the call."""
    if name in {"env", "labels", "annotations", "node_selector"}:
        return {**lower, **upper}
    if name in {"secrets", "config_maps", "volumes"}:
        keyed = {_target(entry): entry for entry in (*lower, *upper)}
        return tuple(keyed.values())
    return upper


def _target(entry: Any) -> str:
    """Where a secret, config map or volume shows up in the step."""
    return str(entry.variable if hasattr(entry, "variable") else entry.path)


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str) or not value.strip():
        what = "empty" if isinstance(value, str) else "not a text"
        raise UsageError(f"{name}={value!r} is {what}", hint="Write a text, or leave it out.")
    return value


def _flag(value: Any, name: str) -> bool:
    if not isinstance(value, bool):
        raise UsageError(f"{name}={value!r} is not True or False", hint=f"Write {name}=True.")
    return value


def _name(value: Any, name: str) -> str:
    text = _text(value, name)
    if len(text) > 200 or any(ord(char) < 32 for char in text):
        raise UsageError(
            f"{name}={text[:60]!r} is not a name", hint="Write a short name in one line."
        )
    return text


def _image(value: Any, name: str) -> str:
    text = _text(value, name)
    match = _IMAGE.fullmatch(text)
    if match is None:
        lower = text.strip().lower()
        hint = "Write it as 'registry/name:tag'."
        if _IMAGE.fullmatch(lower):
            hint = f"Write {lower!r}."
        raise UsageError(f"{name}={text!r} is not the name of an image", hint=hint)
    if text in _TAGS:
        raise UsageError(
            f"{name}={text!r} is a tag, not the name of an image",
            hint=f"Write the image before it, as 'python:{text}'.",
        )
    return text


def _gpu(value: Any, name: str) -> int:
    number = int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value
    if isinstance(number, bool) or not isinstance(number, int):
        hint = "A part of a gpu cannot be asked for." if isinstance(number, float) else ""
        raise UsageError(f"{name}={value!r} is not a whole number", hint=hint or f"Write {name}=1.")
    if not 0 <= number <= _MOST_GPUS:
        raise UsageError(f"{name}={value!r} cannot be had on any node", hint=f"Write {name}=1.")
    return number


def _accelerator(value: Any, name: str) -> str:
    text = _text(value, name)
    if "/" not in text:
        known = {"nvidia": "nvidia.com/gpu", "amd": "amd.com/gpu", "tpu": "google.com/tpu"}
        raise UsageError(
            f"{name}={text!r} is not the name of a resource",
            hint=f"Write it with its domain, as {known.get(text.lower(), 'nvidia.com/gpu')!r}.",
        )
    return names.label_key(text, name=name)


def _timeout(value: Any, name: str) -> float:
    return duration.seconds(value, name=name)


def _pull_policy(value: Any, name: str) -> str:
    policy = _POLICIES.get(_text(value, name).lower())
    if policy is None:
        raise UsageError(
            f"{name}={value!r} is not a pull policy",
            hint="Write 'Always', 'IfNotPresent' or 'Never'.",
        )
    return policy


def _list(value: Any, name: str) -> tuple[Any, ...]:
    if isinstance(value, str) or not isinstance(value, (list, tuple, set, frozenset)):
        raise UsageError(f"{name}={value!r} is not a list", hint=f"Write {name}=[{value!r}].")
    return tuple(sorted(value, key=str)) if isinstance(value, (set, frozenset)) else tuple(value)


def _pull_secrets(value: Any, name: str) -> tuple[str, ...]:
    return tuple(names.object_name(entry, name=name) for entry in _list(value, name))


def _packages(value: Any, name: str) -> tuple[str, ...]:
    entries = _list(value, name)
    for entry in entries:
        if _REQUIREMENT.fullmatch(_text(entry, name).strip()) is None:
            raise UsageError(
                f"{name}: {entry!r} is not a package",
                hint="Write what pip takes as a requirement, such as 'pandas' or 'pandas>=2,<3'.",
            )
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


def _env(value: Any, name: str) -> dict[str, str]:
    result = _mapping(value, name, '{"NAME": "value"}')
    for variable, text in result.items():
        names.env_name(variable, name=name)
        if "\0" in text:
            message = f"{name}: the value of {variable!r} holds a NUL character"
            raise UsageError(message, hint="No variable can hold it; hand it on in a file.")
        if reason := secrecy.secret_reason(variable, text):
            raise UsageError(
                f"{name}: {variable!r} {reason}, and this text would stand in the pipeline in the clear",
                hint=f'Write secrets={{{variable!r}: ("name-of-the-secret", "key")}}; if it is no secret, '
                f"{{{variable!r}: kalelite.Plain(…)}}.",
            )
    return result


def _labels(value: Any, name: str) -> dict[str, str]:
    result = _mapping(value, name, '{"team": "research"}')
    for key, text in result.items():
        names.label_key(key, name=name)
        names.label_value(text, name=name)
    return result


def _annotations(value: Any, name: str) -> dict[str, str]:
    result = _mapping(value, name, '{"example.com/owner": "a text"}')
    for key in result:
        names.annotation_key(key, name=name)
    if sum(len(key) + len(text.encode()) for key, text in result.items()) > 256 * 1024:
        raise UsageError(f"{name} are larger than 256 KiB", hint="Put the data in a config map.")
    return result


def _claim_or_flag(value: Any, name: str) -> bool | str:
    if isinstance(value, bool):
        return value
    if not isinstance(value, str):
        hint = (
            f'Write {name}=True for a volume of each run, or {name}="claim-name" for a lasting one.'
        )
        raise UsageError(f"{name}={value!r} is not True, False or the name of a claim", hint=hint)
    return names.object_name(value, name=name)


def _order(value: Any, name: str) -> str:
    if value not in {"data", "calls"}:
        raise UsageError(f"{name}={value!r} is not an order", hint="Write 'data' or 'calls'.")
    return str(value)


def _path(value: Any, name: str) -> str:
    return names.mount_path(value, name=name)


def _cpu(value: Any, name: str) -> str:
    return quantity.cpu(value, name=name)


def _memory(value: Any, name: str) -> str:
    return quantity.memory(value, name=name)


STEP: dict[str, Parser] = {
    "name": _name,
    "image": _image,
    "cpu": _cpu,
    "cpu_limit": _cpu,
    "memory": _memory,
    "memory_limit": _memory,
    "gpu": _gpu,
    "accelerator": _accelerator,
    "ephemeral_storage": _memory,
    "ephemeral_storage_limit": _memory,
    "env": _env,
    "secrets": parts.secrets,
    "config_maps": parts.config_maps,
    "volumes": parts.volumes,
    "retries": parts.retries,
    "timeout": _timeout,
    "cache": _flag,
    "node_selector": _labels,
    "tolerations": parts.tolerations,
    "affinity": parts.affinity,
    "labels": _labels,
    "annotations": _annotations,
    "pull_policy": _pull_policy,
    "pull_secrets": _pull_secrets,
    "security_context": parts.security_context,
    "packages": _packages,
    "ignore_failures": _flag,
    "display_name": _name,
}

PIPELINE: dict[str, Parser] = {
    "experiment": _name,
    "order": _order,
    "marshal_volume": _claim_or_flag,
    "marshal_volume_size": _memory,
    "marshal_path": _path,
}
