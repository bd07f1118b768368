"""Files of the project that the code of the steps names: they travel with a bundle.

A file counts if a text in the code, or a `Path` that it holds, names it, and it lies in the working
folder, beside the script or beside a local module, or in a folder there that is named as well. What
the code may write stays: a step would find the file of an earlier run.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from kalelite.capture.archive import DataFiles
from kalelite.capture.bytecode import codes, references
from kalelite.capture.gather import Reached
from kalelite.capture.load import Name
from kalelite.capture.local_modules import LocalModule
from kalelite.capture.pickled import Pickled

_LIMIT = 200_000
"""Of all files together, in bytes: a bundle is written by tasks of the pipeline itself."""
_WRITES = re.compile(r"write|^to_|save|dump|touch|copy|move|rename|unlink|remove|mkdir|export")
_MODES = frozenset({"w", "wb", "wt", "w+", "a", "ab", "at", "x", "xb", "r+", "rb+"})
_CODE = frozenset({".py", ".pyc", ".pyi", ".ipynb"})
_PATTERN = re.compile(r"[\w./-]*\*{1,2}[\w./*-]*\.\w+")
"""Of several files of one kind: ``*.csv``. Others would take what nobody means."""
_SYSTEM = ("/bin", "/dev", "/etc", "/lib", "/proc", "/sbin", "/sys", "/usr")


def data_files(reached: Iterable[Reached], script: str | None) -> DataFiles:
    """The files that are named in what is reached; ``script`` is the file of the script."""
    entries: dict[Name, Pickled] = {}
    modules: dict[str, LocalModule] = {}
    for number, one in enumerate(reached):
        entries.update({(f"{number} {home}", name): e for (home, name), e in one.entries.items()})
        modules.update(one.modules)
    found = Reached(entries, modules)
    files = [*filter(None, [script]), *(module.file for module in modules.values())]
    bases = [Path(), *dict.fromkeys(Path(file).parent for file in files)]
    named = {name: (path, written) for name, path, written in _named(found, bases)}
    travel: dict[str, Path] = {}
    left = _LIMIT
    for name, (path, written) in sorted(named.items(), key=lambda item: item[1][0].stat().st_size):
        size = 0 if path in travel.values() else path.stat().st_size
        beside = any(path.is_relative_to(base.resolve()) for base in bases)
        hidden = path.name.startswith(".")  # which may hold a secret
        if beside and not (written or hidden) and size <= left:
            travel[name] = path
            left -= size
    return DataFiles(travel, {name: named[name][0] for name in named if name not in travel})


def _named(found: Reached, bases: list[Path]) -> Iterator[tuple[str, Path, bool]]:
    """The files that are named: the name, the file, and whether the code may write it."""
    texts, written, names = _texts(found)
    paths = {path for item in found.entries.values() for path in item.paths}
    made = {path for key, item in found.entries.items() if key[-1] in names for path in item.paths}
    folders = [*bases, *(path for path in paths if _is(path, Path.is_dir))]
    words = sorted(texts)
    folders += [base / word for base in folders for word in words if _is(base / word, Path.is_dir)]
    candidates = {path: path in made or path.name in written for path in sorted(paths)}
    for folder in dict.fromkeys(folders):
        for word in words:
            candidates.setdefault(folder / word, word in written)
            if _PATTERN.fullmatch(word):
                candidates |= dict.fromkeys(folder.glob(word), False)
    for path, is_written in candidates.items():
        is_data = path.suffix not in _CODE and not str(path).startswith(_SYSTEM)
        if is_data and _is(path, Path.is_file):
            yield str(path), path.resolve(), is_written


def _is(path: Path, test: Callable[[Path], bool]) -> bool:
    try:
        return test(path)
    except (OSError, ValueError):  # too long for a name, or no name at all
        return False


def _texts(found: Reached) -> tuple[set[str], set[str], set[str]]:
    """Texts in the code that could name files, those in code that writes, and names used there."""
    texts: set[str] = set()
    written: set[str] = set()
    names: set[str] = set()
    for entry in found.entries.values():
        for code in entry.codes:
            own = {one for nested in codes(code) for one in _strings(nested.co_consts)}
            texts |= own
            used = references(code)
            if _MODES & own or any(map(_WRITES.search, used.mentioned - used.texts)):
                written |= own
                names.update(used.globals)
    for module in found.modules.values():
        for node in module.tree.body:
            inner = list(ast.walk(node))
            own = set(_strings(one.value for one in inner if isinstance(one, ast.Constant)))
            attributes = [one.attr for one in inner if isinstance(one, ast.Attribute)]
            texts |= own
            if _MODES & own or any(map(_WRITES.search, attributes)):
                written |= own
    return texts, written, names


def _strings(constants: Iterable[object]) -> Iterator[str]:
    for constant in constants:
        if isinstance(constant, str) and 0 < len(constant) < 200 and "\n" not in constant:
            if constant.strip("./ "):
                yield constant
        elif isinstance(constant, tuple | frozenset):
            yield from _strings(constant)
