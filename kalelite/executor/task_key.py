"""What the result of a task depends on, by name, and the key that is made of it.

Two instances with one key give one value: their code with all that it reaches, the versions of the
libraries that this code imports, their arguments, the variables and packages that the options give,
what they have to return, and the version of Python are the same. Not part of it are files that a
step opens by itself, and libraries that it uses through others only.

This module travels with the steps. It imports the standard library only.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import field
from typing import Any

from kalelite.blake import blake2b
from kalelite.capture.state.generators import for_place
from kalelite.executor.spec import Slot
from kalelite.frozen import frozen

_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


@frozen
class TaskKey:
    """What all instances of a task depend on.

    Attributes
    ----------
    parts
        Digests and versions by name: ``function helper``, ``module utils``, ``package numpy``.
    lineage
        A digest of the code that pickled inputs bring along; it counts where there are any.
    constants
        By the names of the constants in its arguments, what they are known by in every version
        of the code.
    first
        The task called first, where the script has seeded generators: the numbers that an
        instance draws depend on its place. Else None.
    sources
        For each argument, the tasks whose values are in it.
    """

    parts: Mapping[str, str]
    lineage: str = ""
    constants: Mapping[str, str] = field(default_factory=dict)
    first: str | None = None
    sources: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class Keys:
    """Makes the keys of the instances of a task: what they share is digested once."""

    def __init__(self, key: TaskKey) -> None:
        self._key = key
        self._begin = digest([_encode(dict(key.parts))])

    def of(self, inputs: Mapping[str, Slot], place: str, *, lineage: bool) -> str:
        """The key of an instance.

        ``inputs`` are those of `inputs_of`. ``place`` names the instance. ``lineage`` is false
        where no input is a pickle.
        """
        key = self._key
        seed = for_place(place, key.first) or "" if key.first is not None else ""
        origin = key.lineage if lineage else ""
        return digest([self._begin, origin, seed, _encode(self.canonical(inputs))])

    def canonical(self, inputs: Mapping[str, Slot]) -> Any:
        """Inputs with every constant by what it is known by in every version of the code."""
        return _renamed(inputs, self._key.constants) if self._key.constants else inputs


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        if isinstance(value.get("const"), str):
            return {**value, "const": names.get(value["const"], value["const"])}
        return {key: _renamed(item, names) for key, item in value.items()}
    return [_renamed(item, names) for item in value] if isinstance(value, list) else value


def references(inputs: Mapping[str, Slot]) -> Iterator[str]:
    """The references to stored values in inputs; empty for what only a digest is known of."""
    pending: list[Slot] = list(inputs.values())
    while pending:
        slot = pending.pop()
        if "ref" in slot:
            yield slot["ref"]
        elif "digest" in slot:
            yield ""
        pending += [*slot.get("of", ()), *slot.get("keys", ())]


def brings_code(inputs: Mapping[str, Slot], encoding: Callable[[str], str]) -> bool:
    """Whether an input is a pickle, which names classes of the script.

    Another version of them does something else with the same bytes. ``encoding`` gives that of a
    reference.
    """
    return any(not one or encoding(one).startswith("pickle") for one in references(inputs))


def digest(parts: Iterable[str]) -> str:
    """A digest of texts, in hexadecimal."""
    data = "\n".join(parts).encode("utf-8", "surrogatepass")
    return blake2b(data, digest_size=16).hexdigest()
