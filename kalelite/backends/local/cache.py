"""Results of earlier runs, by what they depend on; for steps with ``cache=True`` and no others.

The key of a task is a digest of all that its result may depend on: the step's code with what it
reaches, the versions of the libraries that this code imports, its arguments, the variables and
packages that its options give it, what it has to return, and the version of Python. Not part of it
are files that a step opens by itself, and libraries that it uses through others only.

A cache holds no values. An entry is the record of a task, whose values are in the store as long as
a run refers to them; one whose values have gone is no hit and is removed.
"""

from __future__ import annotations

import contextlib
import functools
import json
import shutil
import sys
import time
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from kalelite.atomic import write_atomically
from kalelite.blake import blake2b
from kalelite.capture.code import Code, fingerprint
from kalelite.executor.record_file import commit, encode, parse
from kalelite.executor.spec import Record, Slot, TaskSpec
from kalelite.executor.template import value_slot
from kalelite.marshal import Store
from kalelite.plan.graph import (
    Constant,
    Expr,
    ItemRef,
    Loop,
    OutputRef,
    ParameterRef,
    Plan,
    Task,
)

_LAYOUT = 2


@dataclass
class Cache:
    """The entries in a folder, as the tasks of one plan see them.

    ``folder`` is made when the first entry is written. ``parameters`` are the values of the
    pipeline's. ``note`` is called once for each step that cannot be kept, with a sentence for the
    user. Without ``read`` the results of earlier runs are not used.
    """

    folder: Path
    plan: Plan
    code: Code
    store: Store
    parameters: Mapping[str, Any]
    note: Callable[[str], object]
    read: bool = True
    _noted: set[str] = field(default_factory=set)
    _keys: dict[str, str | None] = field(default_factory=dict)

    @functools.cached_property
    def _versions(self) -> Callable[[frozenset[str]], str]:
        return functools.cache(_versions)

    @functools.cached_property
    def _lineages(self) -> Mapping[str, str]:
        return _lineages(self.plan, self.code, self.parameters, self._versions)

    def recall(
        self, task: Task, instance: str, spec: Callable[[], TaskSpec], folder: Path
    ) -> Record | None:
        """The result of an earlier run that stands for an instance, written into its folder.

        It is looked for once for each instance. ``cached`` is the run that has computed it.
        """
        if instance in self._keys:
            return None
        key = self._keys[instance] = self._key_or_note(task, spec())
        return self._find(key, instance, folder) if key is not None and self.read else None

    def remember(self, record: Record, run: str, folder: Path) -> None:
        """Keep the record of an instance that `recall` has looked for; ``folder`` is its own."""
        key = self._keys.get(record.task)
        if key is None or record.status != "succeeded":
            return
        entry = {"run": run, "artifacts": str(folder / "artifacts"), "record": record}
        with contextlib.suppress(OSError):  # it will be computed again, that is all
            write_atomically(self._path(key), encode(entry).encode())

    def _key_or_note(self, task: Task, spec: TaskSpec) -> str | None:
        """The key of an instance; None if an input of it cannot be distinguished from others."""
        try:
            return self._key(task, spec)
        except Exception as error:  # whatever a user's own __reduce__ raises
            if task.step.name not in self._noted:
                self._noted.add(task.step.name)
                why = f"{type(error).__name__}: {error}"
                self.note(f"{task.step.name}: its result cannot be kept for other runs ({why}).")
            return None

    def _key(self, task: Task, spec: TaskSpec) -> str:
        pickles: set[str] = set()
        arguments = {
            name: self._canonical(slot, pickles) for name, slot in sorted(spec.arguments.items())
        }
        code = self.code.fingerprint(spec.step)
        parts = {
            "layout": _LAYOUT,
            "python": sys.version_info[:2],
            "step": code.digest,
            "state": self.code.state_digest(spec.task),
            "libraries": self._versions(code.libraries),
            "arguments": arguments,
            "outputs": [asdict(output) for output in spec.outputs],
            "arity": spec.arity,
            "env": dict(sorted(task.options.env.items())),
            "packages": sorted(task.options.packages),
            # A pickle names classes of the script, and another version of them does something else
            # with the same bytes.
            "lineage": self._lineages[task.id] if pickles else "",
        }
        return _digest([json.dumps(parts, sort_keys=True, separators=(",", ":"))])

    def _canonical(self, slot: Slot, pickles: set[str]) -> Any:
        """A slot with everything in it named by its content."""
        if "const" in slot:
            # A constant's own name does not cover the classes of the script that it is made of.
            return {**slot, "const": self.code.fingerprint(slot["const"]).digest}
        if "ref" in slot:
            if self.store.describe(slot["ref"]).encoding.startswith("pickle"):
                pickles.add(slot["ref"])
            return slot
        inner: Slot = {
            name: [self._canonical(item, pickles) for item in slot[name]]
            for name in ("of", "keys")
            if name in slot
        }
        if "type" in slot:
            inner["type"] = self._canonical(slot["type"], pickles)
        return {**slot, **inner}

    def _find(self, key: str, instance: str, folder: Path) -> Record | None:
        path = self._path(key)
        try:
            entry = json.loads(path.read_bytes())
            record = parse(entry["record"])
            artifacts = Path(entry["artifacts"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        whole = all(self.store.holds(str(output["ref"])) for output in record.outputs.values())
        if not whole or not _copied(record, artifacts, folder / "artifacts"):
            path.unlink(missing_ok=True)
            return None
        now, run = time.time(), str(entry["run"])
        record = replace(record, task=instance, attempt=1, started=now, finished=now, cached=run)
        commit(record, folder / "record.json")
        return record

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.json"


def prune(folder: Path, keep: Container[str]) -> None:
    """Remove the entries with values that `keep` does not name: nothing holds those any more."""
    for path in folder.glob("*/*.json"):
        try:
            outputs = json.loads(path.read_bytes())["record"]["outputs"].values()
            live = all(output["ref"] in keep for output in outputs)
        except (OSError, ValueError, KeyError, TypeError):
            live = False
        if not live:
            path.unlink(missing_ok=True)


def _copied(record: Record, source: Path, target: Path) -> bool:
    """Copy the files that a record lists; False where one of them has gone."""
    try:
        for artifact in record.artifacts:
            file = str(artifact["file"])
            target.mkdir(parents=True, exist_ok=True)
            if (source / file).is_dir():
                shutil.copytree(source / file, target / file, symlinks=True, dirs_exist_ok=True)
            else:
                shutil.copyfile(source / file, target / file)
    except (OSError, KeyError, shutil.Error):
        shutil.rmtree(target, ignore_errors=True)
        return False
    return True


def _lineages(
    plan: Plan,
    code: Code,
    parameters: Mapping[str, Any],
    versions: Callable[[frozenset[str]], str],
) -> dict[str, str]:
    """For each task, a digest of the code that its inputs may carry along.

    That is the code of all steps that they come from, and of the constants and parameters on the
    way that are more than JSON.
    """
    items = {block.id: block.items for block in plan.blocks if isinstance(block, Loop)}
    lineages: dict[str, str] = {}
    results: dict[str, str] = {}

    def parts(expr: Expr) -> Iterator[str]:
        for part in expr.walk():
            match part:
                case OutputRef(task=task):
                    yield results[task]
                case ItemRef(loop=loop):
                    yield from parts(items[loop])
                case ParameterRef(name=name):
                    yield _code_of(parameters[name])
                case Constant(value=value):
                    yield _code_of(value)

    # A value can only be used in a call that comes after the one it is from.
    for task in plan.tasks:
        found = {part for expr in task.arguments.values() for part in parts(expr)}
        lineages[task.id] = _digest(sorted(found))
        step = code.fingerprint(code.key_of(task))
        own = [step.digest, versions(step.libraries)]
        results[task.id] = _digest([*own, lineages[task.id]])
    return lineages


def _versions(libraries: frozenset[str]) -> str:
    """Each library with its version."""
    return " ".join(f"{name}=={_version(name)}" for name in sorted(libraries))


def _version(package: str) -> str:
    """The version of an installed package; where that takes long to find, when it was installed."""
    import importlib.metadata  # slow to import, and most runs cache nothing

    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version(package)
    # Its distribution has another name. To find that, all that is installed would have to be read.
    with contextlib.suppress(ImportError, ValueError, OSError, AttributeError):
        spec = PathFinder.find_spec(package)
        if spec is not None and spec.origin is not None:
            found = Path(spec.origin).stat()
            return f"{found.st_size}.{found.st_mtime_ns}"
    return ""


def _code_of(value: Any) -> str:
    return "" if value_slot(value) is not None else fingerprint(value).digest


def _digest(parts: Iterable[str]) -> str:
    data = "\n".join(parts).encode("utf-8", "surrogatepass")
    return blake2b(data, digest_size=16).hexdigest()
