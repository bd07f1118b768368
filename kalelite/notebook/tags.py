"""What the tags and the metadata of a notebook say: Kale's, of its versions 0.7 and 2.x."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from kalelite.errors import Problem, ScriptError, Where
from kalelite.frozen import frozen
from kalelite.notebook.ipynb import LEFT_OUT, Cell, NotebookFile, file_of, read_notebook
from kalelite.notebook.kale_metadata import read_metadata
from kalelite.plan.suggest import did_you_mean

_TOP = frozenset({"imports", "functions"})
PARAMETERS, METRICS = "pipeline-parameters", "pipeline-metrics"
_HELD = "held"
"""Cells without a tag below one that stands for a notebook: they wait for the next step."""
_PARAMETERS = {PARAMETERS, "parameters"}  # papermill's, and that of the first versions of Kale
_FORMS = {
    "annotation": "annotation:KEY:VALUE",
    "label": "label:KEY:VALUE",
    "limit": "limit:RESOURCE:AMOUNT, such as limit:memory:4Gi",
    "image": "image:REFERENCE",
    "secret": "secret:NAME:KEY:VARIABLE",
    "cache": "cache:enabled or cache:disabled",
    "report": "report:enabled or report:disabled",
}
"""The tags that are options of a step."""
_KINDS = ("step", "block", "prev", *_FORMS)
_OTHERS = {
    "duration",
    "remove-input",
    "remove-output",
    "hide-input",
    "hide-output",
    "raises-exception",
}

Prepare = Callable[[NotebookFile], NotebookFile]


@frozen
class TaggedStep:
    """The cells of one step, the steps that it follows by ``prev:``, and its options.

    ``unit`` is what the notebook calls the one that the step is of, empty if it is its own.
    """

    name: str
    notebook: NotebookFile
    cells: tuple[Cell, ...]
    previous: tuple[str, ...]
    options: Mapping[str, Any]
    where: Where
    unit: str = ""
    is_metrics: bool = False


@frozen
class Tagged:
    """A notebook by its tags.

    ``top`` are the cells of the script's top, parameters among them; ``options`` are those of the
    pipeline, in Kale's spelling where it has one. ``cells``, ``top`` and ``steps`` are in order,
    with those of the ``units``: the notebooks to which cells refer, by name.
    """

    notebook: NotebookFile
    cells: tuple[Cell, ...]
    top: tuple[Cell, ...]
    parameters: tuple[Cell, ...]
    steps: tuple[TaggedStep, ...]
    units: Mapping[str, Tagged]
    options: Mapping[str, Any]
    notes: tuple[str, ...]
    problems: tuple[Problem, ...]


def is_tagged(notebook: NotebookFile) -> bool:
    """Whether tags make steps of the cells."""
    return any(
        cell.reference or (cell.number and tag.startswith(("step:", "block:")))
        for cell in notebook.cells
        for tag in cell.tags
    )


def read_tags(
    notebook: NotebookFile, prepare: Prepare = lambda read: read, unit: str = ""
) -> Tagged:
    """Sort the cells by their tags; a cell without any goes on with what the one before is.

    ``prepare`` changes the notebooks that it refers to, once they are read; ``unit`` is what the
    one calls it that refers to this one.
    """
    reading = _Reading(notebook, prepare, unit)
    for cell in notebook.cells:
        if cell.reference:
            reading.reference(cell)
        elif cell.number:
            reading.cell(cell)
    return reading.result()


class _Reading:
    def __init__(self, notebook: NotebookFile, prepare: Prepare, unit: str) -> None:
        self._notebook = notebook
        self._prepare = prepare
        self._unit = unit
        self._cells: list[Cell] = []
        self._parts: dict[str, list[Cell]] = {"top": [], PARAMETERS: [], METRICS: [], _HELD: []}
        self._steps: dict[str, list[Cell]] = {}
        self._units: dict[str, Tagged] = {}
        self._tags: dict[str, list[tuple[str, Where]]] = {}
        self._now = "top"
        self._notes: list[str] = []
        self._problems: list[Problem] = []

    def cell(self, cell: Cell) -> None:
        """Put the cell where it belongs."""
        where = Where(file_of((cell, 1)), 1)
        self._cells.append(cell)
        names = [tag.partition(":")[2] for tag in cell.tags if tag.startswith(("step:", "block:"))]
        names = [name for name in names if name]
        tags = set(cell.tags)
        if len(names) > 1:
            hint = "A cell is of one step: keep one of the tags."
            self._problems.append(
                Problem(f"the cell has {len(names)} steps: {', '.join(names)}", hint, where)
            )
        if names:
            self._now = f"step:{names[0]}"
        elif tags & _TOP:
            self._now = "top"
        for part, spellings in ((PARAMETERS, _PARAMETERS), (METRICS, {METRICS})):
            if tags & spellings:
                self._now = part
        if self._now.startswith("step:"):
            name = self._now.removeprefix("step:")
            self._steps.setdefault(name, []).extend([*self._parts[_HELD], cell])
            self._parts[_HELD].clear()
            self._tags.setdefault(name, []).extend((tag, where) for tag in cell.tags)
        else:
            self._parts[self._now].append(cell)
            if self._now == PARAMETERS:
                self._parts["top"].append(cell)
        self._unknown(cell, where)

    def reference(self, cell: Cell) -> None:
        """Put the cells of the notebook to which the cell refers where they belong."""
        tag = f"notebook:{cell.reference}"
        path = Path(self._notebook.path).parent / cell.refers_to
        problem = ("", "")
        if self._unit:
            problem = ("is in a notebook to which another one refers", "Let that refer to both.")
        elif cell.reference in self._units:
            problem = ("is the tag of two cells", "Give one of them another name.")
        elif any(line.strip()[:1] not in ("", "#") for line in cell.source.splitlines()):
            problem = ("is the tag of a cell with code", "Give the code a cell of its own.")
        elif not cell.refers_to:
            hint = 'Write {"notebook_path": "./OTHER.ipynb"} into its metadata.'
            problem = ("is the tag of a cell without a path", hint)
        else:
            try:
                notebook = self._prepare(read_notebook(str(path), cell.reference))
                unit = read_tags(notebook, self._prepare, cell.reference)
            except ScriptError as error:
                problem = (f"cannot be had: {error}", error.hint)
            else:
                if not unit.steps:
                    problem = ("has no steps", f"Tag cells of {cell.refers_to} as steps.")
                self._add(cell.reference, unit)
        if problem[0]:
            where = Where(file_of((cell, 1)), 1) if cell.number else None
            self._problems.append(Problem(f"{tag} {problem[0]}", problem[1], where))
        self._now = _HELD
        self._notes += [
            f"the tag {other!r} of the cell {tag} has no effect."
            for other in cell.tags
            if not other.startswith("notebook:") and other not in _OTHERS
        ]

    def _add(self, name: str, unit: Tagged) -> None:
        self._units[name] = unit
        self._steps[f"notebook:{name}"] = []
        self._cells += unit.cells
        self._parts["top"] += unit.top
        self._notes += unit.notes
        self._problems += unit.problems

    def _unknown(self, cell: Cell, where: Where) -> None:
        known = {*_TOP, *_PARAMETERS, METRICS, LEFT_OUT, *_OTHERS}
        for tag in cell.tags:
            kind, colon, _ = tag.partition(":")
            if kind in {*_FORMS, "prev"} and not self._now.startswith("step:"):
                self._notes.append(f"{where}: the tag {tag!r} has no effect: it is on no step.")
            elif tag not in known and not (colon and kind in _KINDS):
                meant = did_you_mean(kind, [*known, *_KINDS])
                self._notes.append(f"{where}: the tag {tag!r} has no effect. {meant}".strip())

    def result(self) -> Tagged:
        """All that was read."""
        steps: list[TaggedStep] = []
        for name, cells in self._steps.items():
            if name.startswith("notebook:"):
                steps += self._units[name.removeprefix("notebook:")].steps
            else:
                steps.append(self._step(name, cells))
        if cells := self._parts[METRICS]:
            metrics = self._step("pipeline_metrics", cells)
            steps.append(replace(metrics, is_metrics=True))
        for cell in self._parts[_HELD]:
            hint = (
                "After a cell that stands for a notebook, a cell without a tag is of the next step."
            )
            where = Where(file_of((cell, 1)), 1)
            self._problems.append(Problem("the cell is of no step", hint, where))
        metadata = read_metadata(self._notebook, self._step_options)
        return Tagged(
            self._notebook,
            tuple(self._cells),
            tuple(self._parts["top"]),
            tuple(self._parts[PARAMETERS]),
            tuple(steps),
            self._units,
            metadata.options,
            (*metadata.notes, *dict.fromkeys(self._notes)),
            (*metadata.problems, *self._problems),
        )

    def _step(self, name: str, cells: list[Cell]) -> TaggedStep:
        where = Where(file_of((cells[0], 1)), 1)
        tags = self._tags.get(name, [])
        previous = []
        for tag, place in tags:
            other = tag.removeprefix("prev:")
            if other == tag or other in self._units:  # a step waits for what is above it
                continue
            if other not in self._steps:
                hint = (
                    did_you_mean(other, self._steps) or f"The steps are {', '.join(self._steps)}."
                )
                self._problems.append(Problem(f"there is no step {other!r}", hint, place))
            elif list(self._steps).index(other) >= list(self._steps).index(name):
                hint = "A step follows steps that stand above it."
                self._problems.append(Problem(f"{name!r} follows {other!r} below it", hint, place))
            elif other not in previous:
                previous.append(other)
        options = self._step_options(tags)
        return TaggedStep(
            name, self._notebook, tuple(cells), tuple(previous), options, where, self._unit
        )

    def _step_options(self, tags: list[tuple[str, Where]]) -> dict[str, Any]:
        options: dict[str, Any] = {}
        for tag, where in tags:
            kind, _, rest = tag.partition(":")
            match kind, rest.split(":"):
                case "annotation" | "label", [key, *_] if key and ":" in rest:
                    options.setdefault(f"{kind}s", {})[key] = rest.partition(":")[2]
                case "limit", [resource, amount] if resource and amount:
                    number = int(amount) if amount.isdigit() else amount
                    options.setdefault("limits", {})[resource] = number
                case "image", _ if rest:
                    options["image"] = rest
                case "secret", [name, key, variable] if name and key and variable:
                    options.setdefault("secrets", {})[variable] = (name, key)
                case "cache", ["enabled" | "disabled"]:
                    options["cache"] = rest == "enabled"
                case "report", ["enabled" | "disabled"]:
                    pass  # a run has a page, with or without it
                case _ if kind in _FORMS:
                    self._problems.append(
                        Problem(f"the tag {tag!r} is not whole", f"Write {_FORMS[kind]}.", where)
                    )
        return options


def headings(cell: Cell) -> Iterator[str]:
    """The headings of a cell of markdown."""
    for line in cell.source.splitlines():
        if line.startswith("#") and line.lstrip("#").startswith(" "):
            yield line.lstrip("#").strip()
