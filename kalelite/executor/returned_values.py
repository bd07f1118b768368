"""The outputs of a task: what its function returned, held to what is promised, and stored."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sized
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kalelite.errors import KaleliteError, UnmarshallableError
from kalelite.executor import failure
from kalelite.executor import primitives as native
from kalelite.executor.preview import preview
from kalelite.executor.spec import FailureReport, OutputEntry, OutputSpec, TaskSpec
from kalelite.marshal.sharing import SharedSaves

if TYPE_CHECKING:
    from kalelite.marshal.store import Store


class RefusedError(Exception):
    """The step did what no step may do; the report says what."""

    def __init__(self, report: FailureReport) -> None:
        super().__init__(report.message)
        self.report = report


def refused(type: str, message: str, function: Any, hint: str) -> RefusedError:
    frames = failure.at_return(function)
    return RefusedError(FailureReport(type, message, frames, hint=hint))


def save_returned(
    spec: TaskSpec, result: Any, function: Any, store: Store
) -> dict[str, OutputEntry]:
    """Store what a function returned; raises `RefusedError` where that is not possible."""
    values = _unpack(spec, result, function)
    returned = {}
    for output in spec.outputs:
        value = result if output.index is None else values[output.index]
        if value is not None or not output.optional:
            returned[output.name] = _promised(output, value, function)
    saves = SharedSaves(store, returned)
    saved = {}
    for output in spec.outputs:
        if output.name not in returned:
            continue
        try:
            saved[output.name] = _save_one(output, returned[output.name], saves, store)
        except Exception as error:
            if output.optional and isinstance(error, UnmarshallableError):
                continue
            report = failure.report(error, step=spec.task)
            if report.frames:
                raise
            # A value that cannot be stored is the step's doing: show the step.
            shown = replace(report, frames=failure.at_return(function))
            raise RefusedError(shown) from error
    return saved


def _promised(output: OutputSpec, value: Any, function: Any) -> Any:
    """The value as the annotation promises it."""
    if output.native is None:
        return value
    try:
        return native.convert(value, output.native)
    except native.MismatchError as error:
        name = "" if output.index is None else f"output {output.name!r} is "
        hint = "return what the annotation says, or take the annotation away"
        raise refused("TypeError", f"{name}{error}", function, hint) from None


def _save_one(output: OutputSpec, value: Any, saves: SharedSaves, store: Store) -> OutputEntry:
    reference = saves.save(output.name)
    size = store.describe(reference).size
    entry: OutputEntry = {"ref": reference, "type": failure.class_name(type(value)), "size": size}
    entry["preview"] = preview(value, size)
    fits, why = native.as_json(value) if output.native is not None else (False, "")
    if fits:
        entry["native"] = value
    elif why:
        entry["not_native"] = why
    return entry


def _unpack(spec: TaskSpec, result: Any, function: Any) -> list[Any]:
    """The values of a step that is called as ``a, b = step()``, as many as there are names."""
    arity = spec.arity
    if arity is None:
        return []
    names = ", ".join(output.name for output in spec.outputs if output.index is not None)
    wanted = f"{arity} value{'s' if arity != 1 else ''}{f' ({names})' if names else ''}"
    length: int | str = "one"
    if isinstance(result, Iterable):
        values = list(itertools.islice(result, arity + 1))
        if len(values) == arity:
            return values
        length = len(result) if isinstance(result, Sized) else f"more than {arity}"
    counts = f"{wanted} are expected where it is called, it returned {length}"
    shown = f"{failure.class_name(type(result))}: {preview(result)}"
    hint = "return as many values as the call unpacks, or unpack as many as the step returns"
    raise refused("ValueError", f"wrong number of values: {counts} ({shown})", function, hint)


def with_exception(report: FailureReport, error: BaseException, store: Store) -> FailureReport:
    """The report with what a step raised, if it is one of the user's and can be saved."""
    if not isinstance(error, Exception) or type(error).__module__ == "bdb":
        return report  # the latter is of a breakpoint outside of --debug
    if isinstance(error, KaleliteError) and not any(map(failure.is_users, report.frames)):
        return report
    try:
        return replace(report, raised=store.save(error, name="the exception"))
    except Exception:  # its text is in the record
        return report
