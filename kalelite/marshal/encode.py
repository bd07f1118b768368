"""From a value to its manifest and frames: which format, and what to say when none will do."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from kalelite.errors import KaleliteError, UnmarshallableError
from kalelite.marshal.compare import lost
from kalelite.marshal.disk import pieces_of, view_of
from kalelite.marshal.locate import locate
from kalelite.marshal.manifest import Manifest
from kalelite.marshal.registry import Format, Frame, UnfitError, formats_of
from kalelite.marshal.session import Session

__all__ = ["Encoded", "encode", "type_name", "versions_of"]

CHECKED = 65_536
"""Pickles up to so many bytes are read back, and compared where that can be done, when saved."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A value as its format gives it: `pieces` of each frame, and a manifest without a payload."""

    manifest: Manifest
    frames: Sequence[Frame]


def encode(
    value: Any, session: Session, *, name: str = "value", data_only: bool = False
) -> Encoded:
    """Dump a value with the first format that saves it exactly.

    Raises
    ------
    UnmarshallableError
        There is none.
    """
    try:
        return _encode(value, session, data_only)
    except KaleliteError:
        raise
    except Exception as error:
        reason = _reason(error)

        def dumps(part: Any) -> bool:
            try:
                _encode(part, session, data_only)
            except Exception:  # noqa: BLE001 - whatever the part's own code raises
                return False
            return True

        path, part = locate(value, dumps, attributes=not data_only)
        where = f"{name}{path}" if path else name
        raise UnmarshallableError(
            f"{where} cannot be handed to another step: {type_name(type(part))}: {reason}",
            path=path,
            hint=_hint(data_only),
        ) from error


def _hint(data_only: bool) -> str:
    if data_only:
        return (
            'formats="data-only" allows no pickles: return arrays, tables, numbers, text or files'
        )
    return "return the data that it is made from and make it again in the step that needs it"


def _reason(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, UnfitError) and text:
        return text[0]
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__


def _encode(value: Any, session: Session, data_only: bool) -> Encoded:
    errors: list[Exception] = []
    for item in _candidates(value) if data_only else formats_of(value):
        if not item.claims(value):
            continue
        try:
            header, frames = item.dump(value)
            return _encoded(item, value, session, header, frames)
        except UnmarshallableError:
            raise
        except UnfitError as error:
            if data_only:
                errors.append(error)
        except Exception as error:
            if item.data_only:
                raise
            errors.append(error)
    # pickle, cloudpickle, dill: cloudpickle's reason is the one that a person can act on.
    raise errors[min(1, len(errors) - 1)]


def _candidates(value: Any) -> list[Format]:
    """The formats without pickles, the nearest first, and trees of data last."""
    from kalelite.marshal.formats._data import PATIENT, Tree

    found = [item for item in formats_of(value) if item.data_only and type(item) is not Tree]
    return [*found, PATIENT]


def _encoded(
    item: Format, value: Any, session: Session, header: dict[str, Any], frames: Sequence[Frame]
) -> Encoded:
    cls = type(value)
    libraries = {cls.__module__.partition(".")[0], *item.libraries, *header.pop("libraries", ())}
    manifest = Manifest(
        encoding=item.encoding,
        type=type_name(cls),
        header=header,
        frames=tuple([_size(frame) for frame in frames]),
        suffix=item.suffix,
        links=session.links,
        versions=versions_of(libraries),
    )
    # A path comes back as another path, so what holds one is never equal.
    if manifest.size <= CHECKED and not manifest.links:
        _check(item, value, header, frames)
    return Encoded(manifest, frames)


def _size(frame: Frame) -> int:
    if type(frame) is bytes:
        return len(frame)
    return sum([view_of(piece).nbytes for piece in pieces_of(frame)])


def _check(item: Format, value: Any, header: dict[str, Any], frames: Sequence[Frame]) -> None:
    """Read a small value back: a failure, or a difference, is found at the step that made it.

    That is done for pickles, whose loading runs code of the value's own, and for formats that
    know how to compare.
    """
    compares = type(item).equal is not Format.equal
    if item.data_only and not compares:
        return

    def again() -> Any:
        data = [bytearray().join(map(view_of, pieces_of(frame))) for frame in frames]
        return item.load(header, [memoryview(frame) for frame in data])

    after = again()
    if type(after) is not type(value):
        raise TypeError(f"it comes back as {type_name(type(after))}")
    if compares:
        differs = item.equal(value, after) is False
    else:
        # A value that differs from each of its copies, as [nan] does, says nothing.
        differs = _differs(value, after) and not _differs(after, again())
    if differs:
        raise ValueError("it does not come back equal")
    if not item.data_only and (what := lost(value, after)):
        raise ValueError(what)


def _differs(before: Any, after: Any) -> bool:
    """Whether ``==`` says so, plainly. An array, an error or anything else says nothing."""
    if getattr(type(before), "__eq__", None) is getattr(object, "__eq__", None):
        return False  # it is equal to itself only, and says so of any copy
    try:
        if type(before).__module__ == "builtins":
            return (before == after) is False
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the user did not ask for this comparison
            return (before == after) is False
    except Exception:  # noqa: BLE001 - a comparison is the user's code
        return False


def type_name(cls: type) -> str:
    """``module.Class``, without the module for built-in classes."""
    module = cls.__module__
    return cls.__qualname__ if module == "builtins" else f"{module}.{cls.__qualname__}"


_PYTHON = ".".join(map(str, sys.version_info[:3]))


def versions_of(libraries: Iterable[str]) -> dict[str, str]:
    """Versions of Python and of those of the libraries that say theirs."""
    found = {"python": _PYTHON}
    for library in sorted(libraries):
        version = getattr(sys.modules.get(library), "__version__", None)
        if type(version) is str:
            found[library] = version
    return found
