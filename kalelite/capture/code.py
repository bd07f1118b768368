"""`capture`: from a plan to the code that its steps need, as data."""

from __future__ import annotations

import hashlib
import json
import linecache
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kalelite.capture import local_modules as modules
from kalelite.capture.diagnostics import DEFAULT_LIMIT
from kalelite.capture.fingerprint import fingerprint
from kalelite.capture.load import Name
from kalelite.capture.namespaces import importable
from kalelite.capture.pickler import Pickled
from kalelite.capture.rebuild import plain
from kalelite.capture.units import Gatherer, Unit
from kalelite.errors import CaptureError, Where
from kalelite.marshal.registry import UserFormat, user_formats
from kalelite.plan.graph import Plan, StepDef, Task

__all__ = ["Code", "LiveCode", "StepCode", "capture"]

# Blobs up to this size share one file, so that hundreds of small ones cost little.
_BULK = 65_536


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class StepCode:
    """One step function, captured.

    ``payload`` is its pickle, which refers to other names by name; ``needs`` are the names that
    it looks up when it runs. ``source`` maps each source file of the step to its text.
    """

    key: str
    name: str
    payload: bytes
    needs: tuple[Name, ...]
    fingerprint: str
    source: Mapping[str, str]


class Code:
    """The captured code of a plan. `constant` may add to it until it is written."""

    def __init__(self, limit: int) -> None:
        self.steps: dict[str, StepCode] = {}
        self.constants: dict[str, bytes] = {}
        self._constant_needs: dict[str, tuple[Name, ...]] = {}
        self._live: dict[str, Any] = {}
        self._values: dict[str, Any] = {}
        self._keys: dict[int, str] = {}
        self._formats: dict[Name, tuple[UserFormat, Pickled]] = {}
        self._gather = Gatherer(limit)

    # --- filling -----------------------------------------------------------------------------

    def add(self, steps: Iterable[StepDef]) -> None:
        """Capture steps.

        Raises
        ------
        CaptureError
            with all that cannot travel.
        """
        steps = list(steps)
        self._gather.know(plain(step.function) for step in steps)
        for step in steps:
            self._add(step)
        self._add_formats()
        self._refuse()
        for key, taken in self.steps.items():
            if not taken.fingerprint:
                self.steps[key] = replace(taken, fingerprint=fingerprint(self._live[key]))

    def _add(self, step: StepDef) -> None:
        """Capture a step; steps that share a function share its code."""
        function = plain(step.function)
        if id(function) in self._keys:
            return
        key, count = step.name, 1
        while key in self.steps:
            count += 1
            key = f"{step.name}-{count}"
        taken = self._gather.root(function, f"step {step.name!r}", step.where)
        self._keys[id(function)] = key
        self._live[key] = function
        if taken is None:
            return
        files = self._gather.files(taken)
        source = {file: text for file in sorted(files) if (text := _source(file))}
        self.steps[key] = StepCode(key, step.name, taken.data, tuple(taken.needs), "", source)

    def _add_formats(self) -> None:
        """What was registered for classes that steps import; other classes bring it along."""
        for given in user_formats():
            name = importable(given.cls)
            if name is None:
                continue
            what = f"what is registered for {'.'.join(name)}"
            taken = self._gather.root((given.save, given.load), what, None)
            if taken is not None:
                self._formats[name] = (given, taken)

    def constant(self, value: Any, *, name: str = "a constant", where: Where | None = None) -> str:
        """Add a constant and return its name; equal pickles share one.

        Raises
        ------
        CaptureError
            if the value cannot travel; ``name`` says what it is, ``where`` where it is used.
        """
        taken = self._gather.root(value, name, where)
        self._refuse()
        assert taken is not None
        digest = _digest(taken.data)
        self.constants[digest] = taken.data
        self._constant_needs[digest] = tuple(taken.needs)
        self._values[digest] = value
        return digest

    def _refuse(self) -> None:
        problems = tuple(self._gather.problems)
        if problems:
            self._gather.problems.clear()
            raise CaptureError.of(problems)

    # --- reading -----------------------------------------------------------------------------

    def key_of(self, task: Task) -> str:
        """The key of the task's step in `steps`."""
        if not isinstance(task.step, StepDef):
            raise TypeError(f"task {task.id!r} is a container step: it has no Python code")
        return self._keys[id(plain(task.step.function))]

    def step(self, task: Task) -> StepCode:
        """The captured step of a task."""
        return self.steps[self.key_of(task)]

    def live(self) -> LiveCode:
        """The live functions and constants of this process, for debugging."""
        return LiveCode(self._live, self._values)

    # --- writing -----------------------------------------------------------------------------

    def files(self) -> dict[str, bytes]:
        """The files of the captured code, by relative path; the same code gives the same bytes."""
        blobs: dict[str, bytes] = {}

        def put(data: bytes) -> str:
            digest = _digest(data)
            blobs[digest] = data
            return digest

        index = self._index(put)
        small = sorted(digest for digest, data in blobs.items() if len(data) <= _BULK)
        bulk: dict[str, tuple[int, int]] = {}
        content = bytearray()
        for digest in small:
            bulk[digest] = (len(content), len(blobs[digest]))
            content += blobs[digest]
        index["bulk"] = bulk
        files = {f"blobs/{digest}": data for digest, data in blobs.items() if digest not in bulk}
        files["code.bin"] = bytes(content)
        files["index.json"] = json.dumps(index, sort_keys=True, separators=(",", ":")).encode()
        return dict(sorted(files.items()))

    def _index(self, put: Any) -> dict[str, Any]:
        gather = self._gather
        units = {unit.key: unit for unit in gather.units()}
        reached = modules.closure(gather.world.modules)
        sources = {file: text for step in self.steps.values() for file, text in step.source.items()}
        own = {module.file for module in reached.values()}
        return {
            "format": 1,
            "python": f"{sys.version_info[0]}.{sys.version_info[1]}",
            "steps": {
                step.key: {
                    "name": step.name,
                    "fingerprint": step.fingerprint,
                    "blob": put(step.payload),
                    "needs": sorted(step.needs),
                }
                for step in self.steps.values()
            },
            "constants": {
                name: {"blob": put(data), "needs": sorted(self._constant_needs[name])}
                for name, data in self.constants.items()
            },
            "formats": [
                {
                    "class": name,
                    "subclasses": given.subclasses,
                    "blob": put(taken.data),
                    "needs": sorted(taken.needs),
                }
                for name, (given, taken) in sorted(self._formats.items())
            ],
            "units": {
                key: {"blob": put(unit.data), "needs": sorted(unit.needs)}
                for key, unit in units.items()
            },
            "namespaces": _namespaces(gather, units),
            "modules": {
                name: {
                    "file": module.file,
                    "package": module.package,
                    "blob": put((module.text or "").encode("utf-8", "surrogatepass")),
                    "set": {
                        attribute: {"blob": put(taken.data), "needs": sorted(taken.needs)}
                        for attribute, taken in gather.settings.get(name, {}).items()
                    },
                }
                for name, module in reached.items()
            },
            "sources": {
                file: put(text.encode("utf-8", "surrogatepass"))
                for file, text in sources.items()
                if file not in own
            },
        }

    def write(self, folder: str | Path) -> None:
        """Write the captured code, to be read by `kalelite.capture.CodeFolder`."""
        path = Path(folder)
        (path / "blobs").mkdir(parents=True, exist_ok=True)
        files = self.files()
        # The index last: a folder that has one is whole.
        for name in sorted(files, key=lambda name: name == "index.json"):
            target = path / name
            part = target.with_name(f"{target.name}.part")
            part.write_bytes(files[name])
            part.replace(target)

    def sizes(self) -> list[tuple[str, int]]:
        """What the code is made of, largest first: for the message that it is too large."""
        rows = [(f"step {step.name}", len(step.payload)) for step in self.steps.values()]
        rows += [(f"constant {name[:8]}", len(data)) for name, data in self.constants.items()]
        rows += [(f"global {unit.title}", len(unit.data)) for unit in self._gather.units()]
        reached = modules.closure(self._gather.world.modules).values()
        rows += [(f"module {module.name}", len(module.text or "")) for module in reached]
        return sorted(rows, key=lambda row: (-row[1], row[0]))


@dataclass(frozen=True, slots=True)
class LiveCode:
    """A `CodeSource` of what is in this process already: nothing is copied."""

    functions: Mapping[str, Any]
    constants: Mapping[str, Any]

    def function(self, key: str) -> Any:
        """The user's own function."""
        return self.functions[key]

    def constant(self, name: str) -> Any:
        """The user's own object."""
        return self.constants[name]


def capture(plan: Plan, *, limit: int = DEFAULT_LIMIT) -> Code:
    """Take the code of all steps of a plan, with all that it reaches.

    Parameters
    ----------
    plan
        The plan; its container steps have no code and are passed over.
    limit
        The largest pickle of one global, in bytes.

    Raises
    ------
    CaptureError
        with a problem for each global that cannot travel, or is too large to.
    """
    code = Code(limit)
    code.add([task.step for task in plan.tasks if isinstance(task.step, StepDef)])
    return code


def _namespaces(gather: Gatherer, units: Mapping[str, Unit]) -> dict[str, Any]:
    names: dict[str, dict[str, str]] = {key: {} for key in gather.world.spaces}
    for unit in units.values():
        for home, name in unit.names:
            names[home][name] = unit.key
    found = {}
    for key, space in gather.world.spaces.items():
        attributes = {
            name: space.values.get(name)
            for name in ("__name__", "__file__", "__package__", "__doc__")
            if isinstance(space.values.get(name), str)
        }
        found[key] = {"name": space.name, "attributes": attributes, "names": names[key]}
    return found


def _source(file: str) -> str:
    """The text of a user's file or notebook cell, empty if it is not to be had."""
    if not file.startswith("<") and not modules.is_local_file(file):
        return ""
    return "".join(linecache.getlines(file))
