"""The files of captured code: an index, small blobs as one file, and each large blob by itself."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from kalelite.blake import blake2b
from kalelite.capture.formats import RegisteredFormat
from kalelite.capture.gather import Gatherer
from kalelite.capture.load import FORMAT, Name
from kalelite.capture.local_modules import LocalModule
from kalelite.capture.namespaces import World
from kalelite.capture.pickled import Pickled
from kalelite.capture.state.taking import State
from kalelite.capture.units import Unit, units
from kalelite.frozen import frozen

_SMALL = 65_536
"""Blobs up to this size, in bytes, share one file, so that hundreds of them cost little."""


def digest_of(data: bytes) -> str:
    """The name of a blob."""
    return blake2b(data, digest_size=16).hexdigest()


@frozen
class StepCode:
    """One step function, captured. ``source`` maps each source file of the step to its text."""

    key: str
    name: str
    pickled: Pickled
    source: Mapping[str, str]


@frozen
class DataFiles:
    """Files by the names that the code has for them: those that travel, and those that stay."""

    travel: dict[str, Path]
    stay: dict[str, Path]


class _Blobs:
    """Pickles and texts by digest, and what an index says of each."""

    def __init__(self, class_id: Callable[[type], str], known: Container[Name]) -> None:
        self.class_id = class_id
        self.known = known
        self.data: dict[str, bytes] = {}

    def put(self, data: bytes) -> str:
        digest = digest_of(data)
        self.data[digest] = data
        return digest

    def text(self, text: str) -> str:
        return self.put(text.encode("utf-8", "surrogatepass"))

    def entry(self, taken: Pickled | Unit) -> dict[str, Any]:
        data = taken.data if isinstance(taken, Unit) else taken.packed(self.class_id)
        needs, maybe = (
            sorted(name for name in names if name in self.known)
            for names in (taken.edges, taken.maybe)
        )
        entry = {"blob": self.put(data), "needs": needs}
        if maybe:
            entry["maybe"] = maybe
        return {**entry, "objects": True} if taken.holds_values else entry


def archive(
    gatherer: Gatherer,
    class_id: Callable[[type], str],
    steps: Iterable[StepCode],
    constants: Mapping[str, Pickled],
    formats: Iterable[RegisteredFormat],
    state: State,
    travel: Mapping[str, Path],
) -> dict[str, bytes]:
    """The files, by relative path; the same code gives the same bytes."""
    blobs = _Blobs(class_id, gatherer.entries)
    steps = list(steps)
    grouped = list(units(gatherer.entries, gatherer.world, class_id))
    index: dict[str, Any] = {
        "format": FORMAT,
        "python": f"{sys.version_info[0]}.{sys.version_info[1]}",
        "steps": {step.key: {"name": step.name, **blobs.entry(step.pickled)} for step in steps},
        "constants": {name: blobs.entry(taken) for name, taken in constants.items()},
        "formats": [
            {"class": one.cls, "subclasses": one.subclasses, **blobs.entry(one.functions)}
            for one in formats
        ],
        "units": {unit.key: blobs.entry(unit) for unit in grouped},
        "namespaces": _namespaces(gatherer.world, grouped),
        "modules": {
            name: _module(module, gatherer.overrides[name], blobs)
            for name, module in sorted(gatherer.modules.items())
            if name not in gatherer.world.spaces
        },
        "sources": _sources(steps, {module.file for module in gatherer.modules.values()}, blobs),
        "state": _state(state, blobs) if state else None,
        "bulk": {},
    }
    if travel:
        index["data"] = {name: blobs.put(path.read_bytes()) for name, path in travel.items()}
    content = bytearray()
    files = {}
    for digest, data in sorted(blobs.data.items()):
        if len(data) > _SMALL:
            files[f"blobs/{digest}"] = data
        else:
            index["bulk"][digest] = (len(content), len(data))
            content += data
    files["code.bin"] = bytes(content)
    files["index.json"] = json.dumps(index, sort_keys=True, separators=(",", ":")).encode()
    return files


def _module(module: LocalModule, overrides: Mapping[str, Pickled], blobs: _Blobs) -> dict[str, Any]:
    return {
        "file": module.file,
        "package": module.package,
        "blob": blobs.text(module.text or ""),
        "set": {attribute: blobs.entry(taken) for attribute, taken in overrides.items()},
    }


def _state(state: State, blobs: _Blobs) -> dict[str, Any]:
    packed = state.packed_generators
    return {
        "settings": [
            {"name": key, "module": name, **blobs.entry(taken)}
            for key, name, taken in state.settings
        ],
        "changes": [{"module": name, **blobs.entry(taken)} for name, taken in state.changes],
        "imports": state.imports,
        "setups": [blobs.entry(taken) for taken in state.setups],
        "generators": blobs.put(packed) if packed else "",
        "first": state.first,
        "objects": [[space, name] for space, name, _, _ in state.objects],
    }


def _sources(steps: Iterable[StepCode], own: set[str], blobs: _Blobs) -> dict[str, str]:
    texts = {file: text for step in steps for file, text in step.source.items() if file not in own}
    return {file: blobs.text(text) for file, text in texts.items()}


def _namespaces(world: World, grouped: Sequence[Unit]) -> dict[str, Any]:
    names: dict[str, dict[str, str]] = {key: {} for key in world.spaces}
    for unit in grouped:
        for home, name in unit.names:
            names[home][name] = unit.key
    found = {}
    for key, space in world.spaces.items():
        attributes = {
            name: space.values.get(name)
            for name in ("__name__", "__file__", "__package__", "__doc__")
            if isinstance(space.values.get(name), str)
        }
        found[key] = {"name": space.name, "attributes": attributes, "names": names[key]}
    return found


def sizes(
    gatherer: Gatherer, steps: Iterable[StepCode], constants: Mapping[str, Pickled]
) -> list[tuple[str, int]]:
    """What the code is made of, largest first, with its size in bytes."""
    rows = [(f"step {step.name}", step.pickled.size) for step in steps]
    rows += [(f"constant {name[:8]}", taken.size) for name, taken in constants.items()]
    rows += [(f"global {name}", taken.size) for (_, name), taken in gatherer.entries.items()]
    rows += [(f"module {name}", len(one.text or "")) for name, one in gatherer.modules.items()]
    return sorted(rows, key=lambda row: (-row[1], row[0]))
