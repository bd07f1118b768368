"""Captured code, read back: step functions, constants, and the modules they came from.

What was captured from ``__main__`` is put into a module that takes the place of ``__main__``:
functions share it as their globals, classes are defined in it once, and so a value pickled by
reference to ``__main__.Model`` in one step finds the same class in the next. Names are loaded
when they are needed, and no step loads what only another one uses.

Local modules are imported from their captured source, under their own names.

This module travels with the steps. It imports the standard library only.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import json
import pickle
import sys
from _thread import RLock
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from kalelite.capture.load_order import in_order
from kalelite.capture.rebuild import plain
from kalelite.capture.source_loader import SourceLoader, remember_source
from kalelite.capture.state.changes import StepState
from kalelite.errors import CorruptObjectError, VersionMismatchError

FORMAT = 3
"""Of the index and of the blobs."""

Name = tuple[str, str]
"""A namespace and a name in it: ``("__main__", "train")``."""


class CodeSource(Protocol):
    """Where the executor gets functions and constants from."""

    def function(self, key: str) -> Callable[..., Any]: ...

    def constant(self, name: str) -> Any: ...

    def begin(self, place: str) -> None:
        """Make the process ready for the call at a place of the plan: the last thing before it."""


# --- modules ---------------------------------------------------------------------------------


class _Finder:
    """Finds captured modules before any that lie on this machine's path."""

    def __init__(self, reader: CodeReader) -> None:
        self._reader = reader

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        entry = self._reader.index["modules"].get(fullname)
        if entry is None:
            return None
        file, package = entry["file"], entry["package"]
        loader = SourceLoader(
            file,
            lambda: self._reader.text(entry["blob"]),
            package,
            lambda: self._reader.settings(entry["set"]),
        )
        spec = importlib.machinery.ModuleSpec(
            fullname,
            loader,  # type: ignore[arg-type] # importlib.abc costs 10 ms to import
            origin=file,
            is_package=package,
        )
        spec.has_location = True
        if package:
            spec.submodule_search_locations = [str(Path(file).parent)]
        return spec


def _namespace_module(name: str, find: Callable[[str], Any]) -> ModuleType:
    """A module that loads its names when they are needed."""

    class Namespace(ModuleType):
        def __getattr__(self, attribute: str) -> Any:
            return find(attribute)

    return Namespace(name)


class _CodeUnpickler(pickle.Unpickler):
    def __init__(self, data: bytes, reader: CodeReader) -> None:
        stream, self._asides = pickle.loads(data)
        super().__init__(BytesIO(stream))
        self._reader = reader
        self._sets: dict[int, Any] = {}

    def persistent_load(self, pid: Any) -> Any:
        kind, *rest = pid
        if kind == "name":
            return self._reader.value(rest[0], rest[1])
        if kind == "globals":
            return self._reader.namespaces[rest[0]].__dict__
        if kind == "aside":
            return self._asides[rest[0]]
        if kind == "set":
            return self._set(*rest)
        module = importlib.import_module(rest[0])
        return module if kind == "module" else module.__dict__

    def _set(self, number: int, items: Iterable[Any] = (), frozen: bool = False) -> Any:
        if frozen:
            self._sets[number] = frozenset(items)
        else:  # what is in it may refer to it
            self._sets.setdefault(number, set()).update(items)
        return self._sets[number]


# --- the reader ------------------------------------------------------------------------------


class CodeReader:
    """Reads captured code through ``read(name) -> bytes``; a `CodeSource`.

    Raises `VersionMismatchError` if the code was captured with another minor version of Python:
    bytecode does not travel between those; `CorruptObjectError` if the index cannot be read.
    """

    def __init__(self, read: Callable[[str], bytes]) -> None:
        self._read = read
        try:
            self.index: dict[str, Any] = json.loads(read("index.json"))
        except ValueError as error:
            raise CorruptObjectError(f"the captured code is damaged: {error}") from error
        if self.index["format"] != FORMAT:
            raise VersionMismatchError("the steps were captured by another version of kalelite")
        here = f"{sys.version_info[0]}.{sys.version_info[1]}"
        if self.index["python"] != here:
            raise VersionMismatchError(
                f"the steps were captured with Python {self.index['python']}, this is {here}",
                hint=f"run them with Python {self.index['python']}, or capture them with {here}",
            )
        self._bulk: bytes | None = None
        self._lock = RLock()
        self._loaded: set[str] = set()
        self._pending: list[Name] = []
        self._perhaps: list[Name] = []
        self._depth = 0
        self._installed = False
        self._live: dict[str, ModuleType] = {}
        self._finder = _Finder(self)
        state = self.index["state"]
        self._state = StepState(state, self) if state else None
        self.namespaces: dict[str, ModuleType] = {}
        for name, entry in self.index["namespaces"].items():
            self.namespaces[name] = self._make_namespace(name, entry)

    def _make_namespace(self, name: str, entry: Mapping[str, Any]) -> ModuleType:
        def find(attribute: str) -> Any:
            if attribute not in entry["names"]:
                raise AttributeError(f"module {entry['name']!r} has no attribute {attribute!r}")
            return self.value(name, attribute)

        module = _namespace_module(entry["name"], find)
        module.__dict__.update(entry["attributes"])
        return module

    def function(self, key: str) -> Callable[..., Any]:
        """The step function of that key."""
        self.install()
        step = self.index["steps"][key]
        function: Callable[..., Any] = self.load(step)
        return function

    def constant(self, name: str) -> Any:
        """A constant of the plan, new at each call."""
        self.install()
        return self.load(self.index["constants"][name])

    def begin(self, place: str) -> None:
        """Give the process the generators of a place, and run the script's setup functions."""
        if self._state is not None:
            self._state.begin(place)

    def settings(self, entries: Mapping[str, Any]) -> dict[str, Any]:
        """The globals of a local module that were set from outside it."""
        return {name: self.load(entry) for name, entry in entries.items()}

    def value(self, namespace: str, path: str) -> Any:
        """What a captured name stands for: ``Model``, or ``Model.Part`` for a nested class."""
        name, *rest = path.split(".")
        home = self.namespaces[namespace].__dict__
        live = self._live.get(namespace)
        if live is not None and name in live.__dict__:
            home = {name: plain(live.__dict__[name])}
        if name not in home:
            unit = self.index["namespaces"][namespace]["names"][name]
            self._load_unit(unit)
        value = home[name]
        for part in rest:
            value = getattr(value, part)
        return value

    def _load_unit(self, unit: str) -> None:
        with self._lock:
            if unit in self._loaded:
                return
            self._loaded.add(unit)
            entry = self.index["units"][unit]
            try:
                values = self.load(entry)
            except BaseException:
                self._loaded.discard(unit)
                raise
            for (namespace, name), value in values.items():
                self.namespaces[namespace].__dict__[name] = value

    def load(self, entry: Mapping[str, Any]) -> Any:
        """Load every name that it leads to, and then unpickle.

        Only the outermost load follows names, so a long chain of helpers needs no stack.
        """
        with self._lock:
            self._depth += 1
            self._pending.extend((namespace, name) for namespace, name in entry["needs"])
            self._perhaps.extend((namespace, name) for namespace, name in entry.get("maybe", ()))
            try:
                self._load_pending()
                value = _CodeUnpickler(self.blob(entry["blob"]), self).load()
                self._load_pending()  # what it asked for as an attribute of its module
            finally:
                self._depth -= 1
            while self._depth == 0 and self._perhaps:
                # What a text may mean need not be there, and need not work here.
                with suppress(Exception):
                    self.value(*self._perhaps.pop())
            return value

    def _load_pending(self) -> None:
        while self._depth == 1 and self._pending:
            names, self._pending = self._pending, []
            for unit in in_order(self.index, names, self._loaded):
                self._load_unit(unit)

    def blob(self, digest: str) -> bytes:
        """The bytes of that digest."""
        span = self.index["bulk"].get(digest)
        if span is None:
            return self._read(f"blobs/{digest}")
        if self._bulk is None:
            self._bulk = self._read("code.bin")
        return self._bulk[span[0] : span[0] + span[1]]

    def text(self, digest: str) -> str:
        """A source text."""
        return self.blob(digest).decode("utf-8", "surrogatepass")

    def install(self) -> None:
        """Put the captured modules where imports and unpickling find them. Idempotent."""
        if self._installed:
            return
        self._installed = True
        # One that was imported here before is another one than was captured.
        for name in self.index["modules"]:
            sys.modules.pop(name, None)
        sys.meta_path.insert(0, self._finder)
        sys.modules.update(self._named_namespaces())
        self._remember_sources()
        self._place_files()
        self._register_formats()
        if self._state is not None:
            self._state.take_on()

    def _place_files(self) -> None:
        """Write the files that the code names to where it finds them, unless they are there."""
        for name, digest in self.index.get("data", {}).items():
            with suppress(OSError):
                Path(name).parent.mkdir(parents=True, exist_ok=True)
                with Path(name).open("xb") as file:
                    file.write(self.blob(digest))

    def _register_formats(self) -> None:
        """Register again what the script registered for classes that it had imported."""
        if not self.index.get("formats"):
            return
        from kalelite.marshal.registry import register

        for entry in self.index["formats"]:
            register(
                ":".join(entry["class"]),
                reduce=self._reducer(entry),
                subclasses=entry["subclasses"],
            )

    def _reducer(self, entry: Mapping[str, Any]) -> Callable[[Any], Any]:
        """What a pickle names instead of a value; the functions are unpickled once needed."""
        functions: list[Callable[[Any], Any]] = []

        def reduce(value: Any) -> Any:
            if not functions:
                functions.extend(self.load(entry))
            save, load = functions
            return load, (save(value),)

        return reduce

    def _named_namespaces(self) -> dict[str, ModuleType]:
        entries = self.index["namespaces"]
        return {key: self.namespaces[key] for key in entries if entries[key]["name"] == key}

    def _remember_sources(self) -> None:
        for file, digest in self.index["sources"].items():
            remember_source(file, self.text(digest))

    @contextmanager
    def beside(self) -> Iterator[None]:
        """Within the block, values that refer to the captured code can be loaded here.

        For a notebook or script that looks at the values of a run: what it has itself comes
        first, so that a value is an instance of the class that stands in the notebook.
        """
        if self._installed:
            yield
            return
        displaced = {name: sys.modules.get(name) for name in self._named_namespaces()}
        for key, module in displaced.items():
            captured = self.namespaces[key].__dict__.get("__file__")
            if module is not None and getattr(module, "__file__", None) == captured:
                self._live[key] = module
        sys.meta_path.append(self._finder)
        sys.modules.update(self._named_namespaces())
        try:
            yield
        finally:
            sys.meta_path.remove(self._finder)
            for name, module in displaced.items():
                if module is None:
                    sys.modules.pop(name, None)
                else:
                    sys.modules[name] = module


class CodeFolder(CodeReader):
    """Captured code that `Code.write` put into a folder."""

    def __init__(self, folder: str | Path) -> None:
        path = Path(folder)
        super().__init__(lambda name: (path / name).read_bytes())
