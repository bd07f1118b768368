"""What the tags and the metadata of a notebook say: Kale's, of its versions 0.7 and 2.x."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kalelite.errors import Problem, Where
from kalelite.frozen import frozen
from kalelite.notebook.ipynb import LEFT_OUT, Cell, NotebookFile
from kalelite.plan.suggest import did_you_mean

_TOP = frozenset({"imports", "functions"})
PARAMETERS, METRICS = "pipeline-parameters", "pipeline-metrics"
_KINDS = (
    "step",
    "block",
    "prev",
    "annotation",
    "label",
    "limit",
    "image",
    "secret",
    "cache",
    "report",
    "notebook",
)
_OTHERS = {
    "duration",
    "remove-input",
    "remove-output",
    "hide-input",
    "hide-output",
    "raises-exception",
    "parameters",
}
_CLONED = "with --kfp, the notebook's own volumes are cloned"
_WITHOUT = {
    "autosnapshot": _CLONED,
    "snapshot_volumes": _CLONED,
    "katib_run": "kalelite does not tune hyperparameters",
}
"""Settings of Kale that mean nothing here, if they are set, with the reason."""


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
        for part in (PARAMETERS, METRICS):
            if part in tags:
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
        known = {*_TOP, PARAMETERS, METRICS, LEFT_OUT, *_OTHERS}
        for tag in cell.tags:
            kind, colon, _ = tag.partition(":")
            if kind == "notebook":
                hint = "Call that notebook's functions in a step of its own, or run it by itself."
                self._problems.append(Problem(f"{tag}: notebooks are not nested", hint, where))
            elif tag not in known and not (colon and kind in _KINDS):
                meant = did_you_mean(kind, [*known, *_KINDS])
                self._notes.append(f"{where}: the tag {tag!r} has no effect. {meant}".strip())

    def result(self) -> Tagged:
        """All that was read."""
        steps = tuple(self._step(name, cells) for name, cells in self._steps.items())
        settings = self._notebook.metadata.get("kubeflow_notebook")
        options = self._options(settings if isinstance(settings, dict) else {})
        return Tagged(
            self._notebook,
            tuple(self._parts["top"]),
            tuple(self._parts[PARAMETERS]),
            tuple(self._parts[METRICS]),
            steps,
            options,
            tuple(self._notes),
            tuple(self._problems),
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
            key, _, value = rest.partition(":")
            if kind in {"annotation", "label"}:
                options.setdefault(f"{kind}s", {})[key] = value
            elif kind == "limit":
                options.setdefault("limits", {})[key] = int(value) if value.isdigit() else value
            elif kind == "image":
                options["image"] = rest
            elif kind == "cache":
                options["cache"] = rest == "enabled"
            elif kind == "secret":
                name, _, variable = value.partition(":")
                options.setdefault("secrets", {})[variable or name] = (key, name)
            elif kind == "report":
                self._notes.append(f"{where}: the tag {tag!r} has no effect: a run shows itself.")
        return options

    def _options(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        experiment = settings.get("experiment_name") or _inner(settings.get("experiment"), "name")
        names = {
            "name": settings.get("pipeline_name") or Path(self._notebook.path).stem,
            "description": settings.get("pipeline_description"),
            "experiment": experiment if experiment and experiment != "new" else None,
        }
        defaults = dict(self._defaults(settings.get("steps_defaults") or ()))
        image = settings.get("docker_image") or settings.get("base_image")
        if image:
            defaults.setdefault("image", image)
        if settings.get("enable_caching") is not None:
            defaults.setdefault("cache", bool(settings["enable_caching"]))
        claims = self._claims(settings.get("volumes") or ())
        if claims:
            defaults["volumes"] = claims
        for name, reason in _WITHOUT.items():
            if settings.get(name):
                self._notes.append(f"{name} in the notebook's metadata has no effect: {reason}.")
        names = {name: value for name, value in names.items() if value}
        return {**names, "defaults": defaults} if defaults else names

    def _defaults(self, given: Any) -> dict[str, Any]:
        if isinstance(given, Mapping):
            return dict(given)
        where = Where(self._notebook.path, 1)
        return self._step_options([(str(tag), where) for tag in given])

    def _claims(self, volumes: Any) -> dict[str, str]:
        claims = {}
        for volume in volumes:
            kind, path, name = (_inner(volume, key) for key in ("type", "mount_point", "name"))
            if kind == "pvc" and path and name:
                claims[str(path)] = str(name)
            else:
                self._notes.append(
                    f"the volume {name} ({kind}) in the notebook's metadata has no effect: {_CLONED}."
                )
        return claims


def _inner(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, Mapping) else None


def headings(cell: Cell) -> Iterator[str]:
    """The headings of a cell of markdown."""
    for line in cell.source.splitlines():
        if line.startswith("#") and line.lstrip("#").startswith(" "):
            yield line.lstrip("#").strip()
