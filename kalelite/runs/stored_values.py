"""Values of a run, loaded from the store."""

from __future__ import annotations

import contextlib
import difflib
import functools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kalelite.capture.load import CodeFolder
from kalelite.errors import KaleliteError, MissingObjectError, UsageError
from kalelite.marshal import Store
from kalelite.runs.run_dirs import natural, task_of

if TYPE_CHECKING:
    from kalelite.executor.spec import OutputEntry
    from kalelite.runs.reading import RunRecord


def load_output(run: RunRecord, name: str) -> Any:
    """What `Run.load` gives."""
    outputs = run.outputs()
    chosen, many = chosen_outputs(name, outputs)
    store = _store(run)
    with _code(run):
        try:
            values = [_value(store, outputs[key]) for key in chosen]
            store.settle()
        except MissingObjectError as error:
            raise MissingObjectError(
                f"{name} of run {run.id} is no longer in the store",
                hint=f"kalelite get {run.id} {name} --fetch brings it from the run's volume"
                if "kfp" in run.data
                else "run the pipeline again",
            ) from error
    return values if many else values[0]


def load_entry(run: RunRecord, entry: OutputEntry) -> Any:
    """What `Run.read` gives."""
    store = _store(run)
    with _code(run):
        value = _value(store, entry)
        store.settle()
    return value


def _store(run: RunRecord) -> Store:
    """Where the values are: for a run in a cluster on its volume, if that is mounted here."""
    away = Path(run.data["kfp"]["home"], "store") if "kfp" in run.data else None
    return Store(away if away is not None and away.is_dir() else run.home / "store")


def _value(store: Store, entry: Mapping[str, Any]) -> Any:
    """The value of an output; a small one stands in the record, too, which may be all that is here."""
    try:
        return store.load(entry["ref"])
    except MissingObjectError:
        if "native" not in entry:
            raise
        return entry["native"]


@contextlib.contextmanager
def _code(run: RunRecord) -> Iterator[None]:
    """The captured code at hand, as far as it can be read here."""
    reader = None
    with contextlib.suppress(KaleliteError, OSError):
        reader = _reader(run.home / str(run.data["code"])) if "code" in run.data else None
    if reader is None:
        yield
    else:
        with reader.beside():
            yield


@functools.lru_cache(maxsize=8)
def _reader(folder: Path) -> CodeFolder:
    """The code of a run: read once, so that its classes are the same for all values."""
    return CodeFolder(folder)


def chosen_outputs(name: str, outputs: Mapping[str, Any]) -> tuple[list[str], bool]:
    """The keys of the outputs that a name stands for, and whether it stands for a list."""
    if name in outputs:
        return [name], False
    found = [key for key in outputs if key.rpartition(".")[0] == name]
    if len(found) == 1:
        return found, False
    items = [key for key in outputs if re.sub(r"\[[^]]*\]", "", key) == name]
    items = items or [key for key in outputs if task_of(key.rpartition(".")[0]) == name]
    if items and len({key.rpartition(".")[2] for key in items}) == 1:
        return sorted(items, key=natural), True
    close = found or items or difflib.get_close_matches(name, outputs, 5, 0.5) or list(outputs)
    raise UsageError(
        f"the run has no single output {name!r}",
        hint=f"there are {', '.join(close[:8])}" if close else "no task has left anything",
    )


class RunValues(Mapping[str, Any]):
    """The outputs of a run by "task.output", each loaded when it is asked for.

    Other names that `Run.load` knows may be asked for, too: ``"train"`` if the task has one output.
    """

    def __init__(self, run: RunRecord) -> None:
        self._run = run
        self._names = tuple(run.outputs())

    def __getitem__(self, name: str) -> Any:
        try:
            return load_output(self._run, name)
        except KaleliteError as error:
            if name in self._names:
                raise
            raise KeyError(name) from error

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __repr__(self) -> str:
        return f"<values of run {self._run.id}: {', '.join(self._names)}>"
