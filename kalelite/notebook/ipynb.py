"""The file of a notebook: its cells, their tags, its metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kalelite.errors import ScriptError
from kalelite.frozen import frozen

LEFT_OUT = "skip"
"""The tag of cells that do not run."""


@frozen
class Cell:
    """A cell. ``number`` is that of ``In[…]`` in a run from top to bottom, 0 if it does not run.

    ``book`` is the file of its notebook, and, after a colon, how another one that refers to it
    calls it; ``refers_to`` is the file of a notebook that the cell stands for.
    """

    book: str
    kind: str
    source: str
    tags: tuple[str, ...]
    index: int
    number: int
    refers_to: str = ""

    @property
    def reference(self) -> str:
        """What it calls the notebook that it stands for; empty if it is no such cell."""
        names = (tag.partition(":")[2] for tag in self.tags if tag.startswith("notebook:"))
        return "" if self.kind != "code" or LEFT_OUT in self.tags else next(names, "")


@frozen
class NotebookFile:
    """A notebook as it was read. ``document`` is all of it, as JSON has it."""

    name: str
    path: str
    cells: tuple[Cell, ...]
    metadata: Mapping[str, Any]
    document: dict[str, Any]

    def running(self) -> tuple[Cell, ...]:
        """The cells that run, in order."""
        return tuple(cell for cell in self.cells if cell.number)


def file_of(*cells: tuple[Cell, int]) -> str:
    """The name of cells' source, one after the other from these lines on.

    `kalelite.errors.in_cell` reads it.
    """
    parts = [f"In[{cell.number}]" + (f"@{line}" if line > 1 else "") for cell, line in cells]
    return f"{cells[0][0].book}:{'+'.join(parts)}"


def read_notebook(name: str, called: str = "") -> NotebookFile:
    """Read a notebook's file; ``called`` is what another notebook calls it that refers to it.

    Raises `ScriptError`: it is missing, unreadable, no notebook, of a version before 4 or not in
    Python.
    """
    path = Path(name).absolute()
    try:
        document = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise ScriptError(f"there is no file {name}") from None
    except OSError as error:
        raise ScriptError(f"{name} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise ScriptError(f"{name} is no notebook: it is not JSON ({error})") from None
    if not isinstance(document, dict) or not isinstance(document.get("cells"), list):
        old = isinstance(document, dict) and "worksheets" in document
        hint = f"Make it new: jupyter nbconvert --to notebook --inplace {name}" if old else ""
        raise ScriptError(f"{name} is not a notebook of version 4", hint=hint)
    metadata = _mapping(document.get("metadata"))
    language = _mapping(metadata.get("kernelspec")).get("language") or _mapping(
        metadata.get("language_info")
    ).get("name")
    if language and str(language).lower() not in {"python", "ipython"}:
        raise ScriptError(f"{name} is a notebook in {language}; kalelite runs Python")
    book = f"{path}:{called}" if called else str(path)
    return NotebookFile(name, str(path), _cells(document["cells"], book), metadata, document)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _cells(entries: list[Any], book: str) -> tuple[Cell, ...]:
    cells: list[Cell] = []
    number = 0
    for index, entry in enumerate(map(_mapping, entries)):
        source = entry.get("source", "")
        text = "".join(source) if isinstance(source, list) else str(source)
        metadata = _mapping(entry.get("metadata"))
        tags = tuple(str(tag).strip() for tag in metadata.get("tags") or ())
        kind = str(entry.get("cell_type"))
        runs = kind == "code" and bool(text.strip()) and LEFT_OUT not in tags
        number += runs
        refers_to = str(metadata.get("notebook_path") or "")
        cells.append(Cell(book, kind, text, tags, index, number if runs else 0, refers_to))
    return tuple(cells)
