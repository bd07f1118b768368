"""Digests of what was captured: the same for the same behaviour, another for any change of it.

A fingerprint covers all that a root reaches and that travels with it: code, constants, classes, and
the source of local modules. Line numbers, file names, comments and layout do not count, docstrings
only where code reads them. Of files that are named by a `Path` the content counts. Installed
packages count by name. It is the same in every process, on every machine and for every
``PYTHONHASHSEED``; another minor version of Python, which has another bytecode, gives another one.
"""

from __future__ import annotations

import pickletools
import sys
from collections.abc import Iterator, Mapping
from importlib.machinery import PathFinder

from kalelite.blake import hashed
from kalelite.capture.bytecode import identifiers, references
from kalelite.capture.file_content import content
from kalelite.capture.gather import Gatherer, Reached
from kalelite.capture.load import Name
from kalelite.capture.local_modules import is_made_by_hand
from kalelite.capture.module_source import Mentioned, counted, source_digest
from kalelite.capture.pickled import Pickled
from kalelite.capture.pickler import pickled
from kalelite.frozen import frozen

# Code that uses one of these may read the docstrings of others.
_READS_DOCSTRINGS = frozenset({"__doc__", "getdoc", "help"})
_IMPORTS_BY_NAME = frozenset({"import_module", "__import__"})
_NOT_LIBRARIES = sys.stdlib_module_names | {"__main__", "__mp_main__", "cloudpickle", "kalelite"}


@frozen
class Fingerprint:
    """A digest in hexadecimal, those of its parts by name, and the installed packages reached."""

    digest: str
    parts: Mapping[str, str]
    libraries: frozenset[str]


class Fingerprints:
    """The fingerprints of what a gatherer has taken."""

    def __init__(self, gatherer: Gatherer) -> None:
        self._gatherer = gatherer
        self._class_ids: dict[type, str] = {}

    def of(self, root: Pickled) -> Fingerprint:
        """The fingerprint of a root and of all that it reaches."""
        reached = self._gatherer.reached(root)
        mentioned = _mentioned(reached)
        numbers = counted(reached.modules, mentioned)
        if mentioned.names & _IMPORTS_BY_NAME:
            words = {name for item in reached.entries.values() for name in _strings(item)}
            found = self._gatherer.local.closure({*mentioned.names, *words, *sys.modules})
            reached.modules.update(found)
            mentioned.whole.update(found)
            numbers = counted(reached.modules, mentioned)
        docstrings = bool(mentioned.names & _READS_DOCSTRINGS)
        parts = {
            f"module {name}": source_digest(module, numbers[name], docstrings=docstrings)
            for name, module in reached.modules.items()
            if name not in self._gatherer.world.spaces
        }
        for name, item in reached.entries.items():
            parts[_title(name, item)] = item.digest(docstrings=docstrings)
            parts.update((f"file {path}", content(path)) for path in item.paths)
        for space in {name[0] for name in reached.entries} & self._gatherer.world.spaces.keys():
            text = self._gatherer.world.spaces[space].values.get("__doc__")
            if docstrings:
                parts[f"docstring of {space}"] = repr(text).encode()
        parts["shared objects"] = _sharing(reached.entries)
        texts = {name: hashed(digest).hex() for name, digest in sorted(parts.items())}
        digest = hashed(
            *(f"{name}\0{text}".encode("utf-8", "surrogatepass") for name, text in texts.items())
        )
        return Fingerprint(digest.hex(), texts, _libraries(reached))

    def names(self, root: Pickled) -> frozenset[str]:
        """All names in the code of a root and of what it reaches, also inside of strings."""
        reached = self._gatherer.reached(root)
        mentioned = _mentioned(reached)
        counted(reached.modules, mentioned)
        return frozenset(mentioned.names)

    def libraries(self, root: Pickled) -> frozenset[str]:
        """The installed packages that a root reaches."""
        return _libraries(self._gatherer.reached(root))

    def class_id(self, cls: type) -> str:
        """By this, cloudpickle knows a class that comes twice into one process."""
        if cls not in self._class_ids:
            world = self._gatherer.world
            path = world.path(cls)
            name = (path[0], path[1].partition(".")[0]) if path else None
            entry = self._gatherer.entries.get(name) if name else None
            digest = self.of(entry or pickled(cls, world)).digest
            self._class_ids[cls] = f"{cls.__module__}.{cls.__qualname__}:{digest}"
        return self._class_ids[cls]


def _title(name: Name, item: Pickled) -> str:
    home = "" if name[0] in {"", "__main__"} else f"{name[0]}."
    return f"{item.kind} {home}{name[1]}".strip()


def _mentioned(reached: Reached) -> Mentioned:
    found = Mentioned()
    for item in reached.entries.values():
        found.names |= item.mentioned
        for code in item.codes:
            used = references(code)
            found.names |= used.mentioned
            found.values |= used.values
    for name, item in reached.entries.items():
        # Of a module with a name of its own, attributes show in the code that uses the name.
        if item.kind != "import" or name[1] in found.values:
            found.whole |= item.held
    return found


def _strings(item: Pickled) -> Iterator[str]:
    for _, argument, _ in pickletools.genops(item.stream):
        if isinstance(argument, str):
            yield from identifiers(argument)


def _sharing(entries: Mapping[Name, Pickled]) -> bytes:
    """Which entries hold the same object, and where."""
    holders: dict[int, list[str]] = {}
    for name, item in entries.items():
        for index, value in enumerate(item.shared):
            holders.setdefault(id(value), []).append(f"{name} {index}")
    groups = sorted(sorted(places) for places in holders.values() if len(places) > 1)
    return repr(groups).encode("utf-8", "surrogatepass")


def _libraries(reached: Reached) -> frozenset[str]:
    local = {name.partition(".")[0] for name in reached.modules}
    used = {name for item in reached.entries.values() for name in item.modules}
    found = {name.partition(".")[0] for name in used if not is_made_by_hand(name)}
    imported = {
        name.partition(".")[0] for module in reached.modules.values() for name in module.imports
    }
    found |= {name for name in imported if name in sys.modules or PathFinder.find_spec(name)}
    # What begins with an underscore belongs to another package, which is reached as well.
    packages = {name for name in found if name and not name.startswith("_")}
    return frozenset(packages - local - _NOT_LIBRARIES)
