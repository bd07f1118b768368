"""From a value to its manifest and frames: which format, and what to say when none will do."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from traceback import clear_frames
from typing import Any

from kalelite.errors import KaleliteError, UnmarshallableError
from kalelite.marshal.disk import pieces_of, view_of
from kalelite.marshal.locate import locate, path_to
from kalelite.marshal.manifest import Manifest
from kalelite.marshal.readback import LossError, Reading, Witness, address, differs, first_loss
from kalelite.marshal.registry import Format, Frame, UnfitError, formats_of
from kalelite.marshal.session import Session

__all__ = ["Encoded", "encode", "type_name", "versions_of"]

CHECKED = 65_536
"""Pickles up to so many bytes are read back before they are written, whatever is in them; larger
values are written first, and read back from there if that is needed."""

COMPARED = 64 << 20
"""``==`` is asked of values up to so many bytes: with arrays in them, it takes as much memory."""

_NO_WITNESS = Witness((), b"")


@dataclass(frozen=True, slots=True)
class Encoded:
    """A value as its format gives it.

    Attributes
    ----------
    manifest
        Without a payload.
    frames
        Their pieces.
    led
        Whether the first frame says what to make of the others, or is a pickle, which runs.
    check
        To be called with the frames as they were written, before they get their name: raises
        UnmarshallableError if they do not give the value again. None if that is known.
    """

    manifest: Manifest
    frames: Sequence[Frame]
    led: bool
    check: Callable[[Sequence[memoryview]], None] | None = None


def encode(
    value: Any, session: Session, *, name: str = "value", data_only: bool = False
) -> Encoded:
    """Dump a value with the first format that saves it exactly.

    Raises
    ------
    UnmarshallableError
        There is none.
    """

    def refused(error: Exception) -> UnmarshallableError:
        return _refused(value, error, session, name, data_only)

    try:
        encoded, check = _encode(value, session, data_only)
    except KaleliteError:
        raise
    except Exception as error:
        raise refused(error) from error
    if check is None:
        return encoded

    def late(frames: Sequence[memoryview]) -> None:
        with session:
            try:
                check(frames)
            except KaleliteError:
                raise
            except Exception as error:
                _let_go(error)
                raise refused(error) from error

    return replace(encoded, check=late)


def _refused(
    value: Any, error: Exception, session: Session, name: str, data_only: bool
) -> UnmarshallableError:
    """The error for a value that cannot be saved: where in it, and why."""

    def dumps(part: Any) -> bool:
        try:
            _encode(part, session, data_only)
        except Exception:  # noqa: BLE001 - whatever the part's own code raises
            return False
        return True

    if isinstance(error, LossError):
        part, path = error.part, path_to(value, error.part) + error.path
        reason = str(error)
    else:
        path, part = locate(value, dumps, attributes=not data_only)
        reason = _reason(error)
    return UnmarshallableError(
        f"{name}{path} cannot be handed to another step: {type_name(type(part))}: {reason}",
        path=path,
        hint=_hint(data_only),
    )


def _hint(data_only: bool) -> str:
    if data_only:
        return (
            'formats="data-only" allows no pickles: return arrays, tables, numbers, text or files'
        )
    return (
        "return the data that it is made from and make it again in the step that needs it, or say"
        " how its type is stored: kalelite.marshal.register"
    )


def _reason(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, UnfitError) and text:
        return text[0]
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__


_Check = Callable[[Sequence[memoryview]], None]


def _encode(value: Any, session: Session, data_only: bool) -> tuple[Encoded, _Check | None]:
    errors: list[Exception] = []
    for item in _candidates(value) if data_only else formats_of(value):
        if not item.claims(value):
            continue
        try:
            return _dump(item, value, session)
        except UnmarshallableError:
            raise
        except UnfitError as error:
            if data_only:
                errors.append(error)
        except Exception as error:
            _let_go(error)
            if item.data_only:
                raise
            errors.append(error)
    try:
        # pickle, cloudpickle, dill: cloudpickle's reason is the one that a person can act on.
        raise errors[min(1, len(errors) - 1)]
    finally:
        errors.clear()  # an error holds this frame, so that this frame must not hold an error


def _let_go(error: BaseException | None) -> None:
    """Free what the frames of an error and its causes hold.

    Views of buffers that wait for the garbage collector crash it (Python 3.11).
    """
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


def _candidates(value: Any) -> list[Format]:
    """The formats without pickles, the nearest first, and trees of data last."""
    from kalelite.marshal.formats._data import PATIENT, Tree

    found = [item for item in formats_of(value) if item.data_only and type(item) is not Tree]
    return [*found, PATIENT]


def _dump(item: Format, value: Any, session: Session) -> tuple[Encoded, _Check | None]:
    header, frames = item.dump(value)
    cls = type(value)
    libraries = {cls.__module__.partition(".")[0], *item.libraries, *header.pop("libraries", ())}
    witness = header.pop("witness", _NO_WITNESS)
    manifest = Manifest(
        encoding=item.encoding,
        type=type_name(cls),
        header=header,
        frames=tuple([_size(frame) for frame in frames]),
        suffix=item.suffix,
        links=session.links,
        versions=versions_of(libraries),
    )
    encoded = Encoded(manifest, frames, led=len(frames) > 1 or not item.data_only)
    small = manifest.size <= CHECKED
    told = type(item).equal is not Format.equal or not item.data_only
    if not (witness.own or _is_foreign(item) or (small and told)):
        return encoded, None
    check = partial(_check, item, value, witness, session, encoded)
    if not small:
        return encoded, check
    check(_copies(frames))
    return encoded, None


def _size(frame: Frame) -> int:
    if type(frame) is bytes:
        return len(frame)
    return sum([view_of(piece).nbytes for piece in pieces_of(frame)])


def _check(
    item: Format,
    value: Any,
    witness: Witness,
    session: Session,
    encoded: Encoded,
    frames: Sequence[memoryview],
) -> None:
    """Read a value back: a failure, or a difference, is found at the step that made it."""
    manifest = encoded.manifest
    # A path comes back as another path, so what holds one is never equal.
    ask = manifest.size <= COMPARED and not manifest.links

    def read() -> Reading:
        if not witness.own:
            return Reading(item.load(manifest.header, frames))
        pickled: Any = item  # as all that have a witness
        after, parts = pickled.load_again(frames, witness.tail)
        return Reading(after, parts, _origin(encoded.frames, frames))

    with warnings.catch_warnings(), session.replaying():
        warnings.simplefilter("ignore")  # the user did not ask for this
        try:
            reading = read()
        except Exception as error:
            if loss := _culprit(item, witness):
                raise loss from error
            raise
        after = reading.value
        if type(after) is not type(value):
            raise TypeError(f"it comes back as {type_name(type(after))}")
        if type(item).equal is not Format.equal:
            lost = item.equal(value, after) is False
        elif witness.own or _is_foreign(item):
            if loss := first_loss(value, witness, reading, read, ask=ask):
                raise loss
            lost = False
        else:  # a value that differs from each of its copies, as [nan] does, says nothing
            lost = ask and differs(value, after) and not differs(after, read().value)
        if lost:
            raise ValueError("it does not come back equal")


def _is_foreign(item: Format) -> bool:
    return not type(item).__module__.startswith("kalelite.")


def _copies(frames: Sequence[Frame]) -> list[memoryview]:
    """The frames as a reader gets them."""
    return [memoryview(bytearray().join(map(view_of, pieces_of(frame)))) for frame in frames]


def _culprit(item: Format, witness: Witness) -> LossError | None:
    """The innermost object that cannot be read back by itself."""
    for part, *_ in reversed(witness.own):
        header, frames = item.dump(part)
        header.pop("witness", None)
        try:
            item.load(header, _copies(frames))
        except Exception as failure:  # noqa: BLE001 - the part's own code
            return LossError(part, "", _reason(failure))
    return None


def _origin(written: Sequence[Frame], read: Sequence[memoryview]) -> dict[int, int]:
    """Addresses of the buffers that were read, and of those in the value that they hold."""
    numpy = sys.modules.get("numpy")
    if numpy is None:
        return {}

    def addresses(frames: Iterable[Any]) -> list[int]:
        return [address(numpy.frombuffer(view, numpy.uint8)) for view in frames]

    return dict(
        zip(
            addresses(read[1:]),
            addresses(view_of(*pieces_of(frame)) for frame in written[1:]),
            strict=True,
        )
    )


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
