"""What the tags and the metadata of a notebook say: Kale's, of its versions 0.7 and 2.x."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kalelite.errors import Problem, Where
from kalelite.frozen import frozen
from kalelite.notebook.ipynb import LEFT_OUT, Cell, NotebookFile
from kalelite.notebook.kale_metadata import read_metadata
from kalelite.plan.suggest import did_you_mean

_TOP = frozenset({"imports", "functions"})
PARAMETERS, METRICS = "pipeline-parameters", "pipeline-metrics"
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
_KINDS = ("step", "block", "prev", "notebook", *_FORMS)
_OTHERS = {
    "duration",
    "remove-input",
    "remove-output",
    "hide-input",
    "hide-output",
    "raises-exception",
}


@frozen
class TaggedStep:
    """The cells of one step, the steps that it follows by ``prev:``, and its options."""

    name: str
    cells: tuple[Cell, ...]
    previous: tuple[str, ...]
    options: Mapping[str, Any]
    where: Where


@frozen
class Tagged:
    """A notebook by its tags.

    ``top`` are the cells of the script's top, parameters among them, in order; ``options`` are
    those of the pipeline, in Kale's spelling where it has one.
    """

    notebook: NotebookFile
    top: tuple[Cell, ...]
    parameters: tuple[Cell, ...]
    metrics: tuple[Cell, ...]
    steps: tuple[TaggedStep, ...]
    options: Mapping[str, Any]
    notes: tuple[str, ...]
    problems: tuple[Problem, ...]


def is_tagged(notebook: NotebookFile) -> bool:
    """Whether tags make steps of the cells."""
    return any(
        tag.startswith(("step:", "block:")) for cell in notebook.running() for tag in cell.tags
    )


def read_tags(notebook: NotebookFile) -> Tagged:
    """Sort the cells by their tags; a cell without any goes on with what the one before is."""
    reading = _Reading(notebook)
    for cell in notebook.running():
        reading.cell(cell)
    return reading.result()


class _Reading:
    def __init__(self, notebook: NotebookFile) -> None:
        self._notebook = notebook
        self._parts: dict[str, list[Cell]] = {"top": [], PARAMETERS: [], METRICS: []}
        self._steps: dict[str, list[Cell]] = {}
        self._tags: dict[str, list[tuple[str, Where]]] = {}
        self._now = "top"
        self._notes: list[str] = []
        self._problems: list[Problem] = []

    def cell(self, cell: Cell) -> None:
        """Put the cell where it belongs."""
        where = Where(self._notebook.file_of((cell, 1)), 1)
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
            self._steps.setdefault(name, []).append(cell)
            self._tags.setdefault(name, []).extend((tag, where) for tag in cell.tags)
        else:
            self._parts[self._now].append(cell)
            if self._now == PARAMETERS:
                self._parts["top"].append(cell)
        self._unknown(cell, where)

    def _unknown(self, cell: Cell, where: Where) -> None:
        known = {*_TOP, *_PARAMETERS, METRICS, LEFT_OUT, *_OTHERS}
        for tag in cell.tags:
            kind, colon, _ = tag.partition(":")
            if kind == "notebook":
                hint = "Copy its cells here, each a step, or run that notebook by itself."
                self._problems.append(Problem(f"{tag}: notebooks are not nested", hint, where))
            elif kind in {*_FORMS, "prev"} and not self._now.startswith("step:"):
                self._notes.append(f"{where}: the tag {tag!r} has no effect: it is on no step.")
            elif tag not in known and not (colon and kind in _KINDS):
                meant = did_you_mean(kind, [*known, *_KINDS])
                self._notes.append(f"{where}: the tag {tag!r} has no effect. {meant}".strip())

    def result(self) -> Tagged:
        """All that was read."""
        steps = tuple(self._step(name, cells) for name, cells in self._steps.items())
        metadata = read_metadata(self._notebook, self._step_options)
        return Tagged(
            self._notebook,
            tuple(self._parts["top"]),
            tuple(self._parts[PARAMETERS]),
            tuple(self._parts[METRICS]),
            steps,
            metadata.options,
            (*metadata.notes, *dict.fromkeys(self._notes)),
            (*metadata.problems, *self._problems),
        )

    def _step(self, name: str, cells: list[Cell]) -> TaggedStep:
        where = Where(self._notebook.file_of((cells[0], 1)), 1)
        previous = []
        for tag, place in self._tags[name]:
            other = tag.removeprefix("prev:")
            if other == tag:
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
        return TaggedStep(
            name, tuple(cells), tuple(previous), self._step_options(self._tags[name]), where
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
