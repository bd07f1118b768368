"""From a value to its manifest and frames, and back; and the errors where that fails."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable, Sequence
from traceback import clear_frames
from typing import Any

from kalelite.errors import KaleliteError, MarshalError, UnmarshallableError, VersionMismatchError
from kalelite.frozen import frozen
from kalelite.marshal.attachments import Attachments
from kalelite.marshal.framing import flatten, frame_size
from kalelite.marshal.manifest import Manifest
from kalelite.marshal.part_path import deep_path, path_to
from kalelite.marshal.registry import (
    Format,
    Frame,
    PartError,
    format_for_encoding,
    formats_of,
)


@frozen
class Encoded:
    """A value as its format gives it.

    Attributes
    ----------
    manifest
        Without a payload.
    frames
        Their pieces.
    led
        Whether the first frame decides what to make of the others, or is a pickle, which runs.
    doubtful
        Whether code of the user's takes part in loading, so that it has to be tried.
    """

    manifest: Manifest
    frames: Sequence[Frame]
    led: bool
    doubtful: bool

    def pieces(self) -> list[memoryview]:
        """The bytes of all frames, as they are written."""
        return list(flatten(self.frames))

    def lead(self) -> list[memoryview]:
        """The bytes of the first frame if the value is led by it, else none."""
        return list(flatten(self.frames[:1])) if self.led else []


# ---- saving


def encode(value: Any, attachments: Attachments, *, name: str = "value") -> Encoded:
    """Dump a value with the first format that takes it; `name` is what an error calls it.

    Raises `UnmarshallableError`: there is none.
    """
    refusal: Exception | None = None
    path: str | None = None
    try:
        for item in formats_of(value):
            if not item.claims(value):
                continue
            try:
                return _dump(item, value, attachments)
            except KaleliteError:
                raise
            except PartError as error:
                _let_go(error)
                refusal, path = error, path_to(value, error.parts)
                if error.final and path is not None:
                    break
            except Exception as error:  # of the value's own code
                _let_go(error)
                refusal = refusal or error
        raise _refused(value, refusal, path, name) from refusal and (refusal.__cause__ or refusal)
    finally:
        del refusal  # an error holds this frame, so that this frame must not hold an error


def _dump(item: Format, value: Any, attachments: Attachments) -> Encoded:
    header, frames = item.dump(value)
    cls = type(value)
    doubtful = header.pop("doubtful", False)
    libraries = {cls.__module__.partition(".")[0], *item.libraries, *header.pop("libraries", ())}
    links, paths = attachments.store()
    manifest = Manifest(
        encoding=item.encoding,
        type=_type_name(cls),
        header=header,
        frames=tuple(map(frame_size, frames)),
        suffix=item.suffix,
        links=links,
        paths=paths,
        versions=_versions_of(libraries),
    )
    return Encoded(manifest, frames, len(frames) > 1 or item.runs_code, doubtful)


def _let_go(error: BaseException | None) -> None:
    """Free what the frames of an error and its causes hold.

    Views of buffers that wait for the garbage collector crash it (Python 3.11).
    """
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


def _refused(
    value: Any, error: Exception | None, path: str | None, name: str
) -> UnmarshallableError:
    """The error for a value that cannot be saved: which part of it, and why."""
    part, reason = value, _reason(error)
    if isinstance(error, PartError):
        part, reason = (error.parts or [value])[-1], _reason(error.__cause__) or str(error)
    if path is None:
        path = deep_path(value)
    return UnmarshallableError(
        f"{name}{path} cannot be handed to another step: {_type_name(type(part))}: {reason}",
        path=path,
        hint="return the data that it is made from and make it again in the step that needs it, or"
        " define how its type is stored: kalelite.marshal.register",
    )


def _reason(error: BaseException | None) -> str:
    if error is None:
        return ""
    if isinstance(error, RecursionError) or isinstance(error.__cause__, RecursionError):
        return "it is nested too deeply"
    text = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


# ---- loading


def decode(manifest: Manifest, frames: Sequence[memoryview]) -> Any:
    """The value.

    Raises `VersionMismatchError`: it cannot be read, and Python or a library is not the one that
    wrote it; `MarshalError`: it cannot be read for another reason.
    """
    item = _format(manifest)
    if item.python_bound and (skew := _skew(manifest, series=True, only="python")):
        raise VersionMismatchError(
            f"a {manifest.type} cannot be read: {skew}, and it holds code, which is of no use to "
            "another Python",
            hint="use the same version of Python in the steps that hand values to each other",
        )
    try:
        value = item.load(manifest.header, frames)
    except KaleliteError:
        raise
    except Exception as error:
        raise _unreadable(manifest, error) from error
    # Now every library that took part is imported. A pickle itself is the same for each Python.
    if item.runs_code and (skew := _skew(manifest, series=True, but="python")):
        warnings.warn(
            f"a {manifest.type} may not be read as it was: {skew}", RuntimeWarning, stacklevel=3
        )
    return value


def _format(manifest: Manifest) -> Format:
    try:
        return format_for_encoding(manifest.encoding)
    except LookupError as error:
        reason = f": {error.__cause__}" if error.__cause__ else ""
        raise MarshalError(
            f"nothing here reads the encoding {manifest.encoding!r} of a {manifest.type}{reason}",
            hint="install the library that wrote it in this environment; `kalelite formats` lists "
            "what is there",
        ) from error


def _unreadable(manifest: Manifest, error: Exception) -> MarshalError:
    why = f"{type(error).__name__}: {error}"
    skew = _skew(manifest)
    if isinstance(error, ModuleNotFoundError) and error.name:
        return MarshalError(
            f"a {manifest.type} cannot be read: the module {error.name!r} is not installed here"
            f"{f' ({skew})' if skew else ''}",
            hint=f"install {error.name.partition('.')[0]} in the environment of this step",
        )
    if skew:
        return VersionMismatchError(
            f"a {manifest.type} cannot be read: {skew} ({why})",
            hint="use the same versions in the steps that hand values to each other",
        )
    return MarshalError(f"a {manifest.type} cannot be read: {why}")


# ---- types and versions


def _type_name(cls: type) -> str:
    """``module.Class``, without the module for built-in classes."""
    module = cls.__module__
    return cls.__qualname__ if module == "builtins" else f"{module}.{cls.__qualname__}"


_PYTHON = ".".join(map(str, sys.version_info[:3]))


def _versions_of(libraries: Iterable[str]) -> dict[str, str]:
    """Versions of Python and of those of the libraries that state theirs."""
    found = {"python": _PYTHON}
    for library in sorted(libraries):
        version = getattr(sys.modules.get(library), "__version__", None)
        if type(version) is str:
            found[library] = version
    return found


def _skew(manifest: Manifest, *, series: bool = False, only: str = "", but: str = "") -> str:
    """Versions that differ from those that wrote the value; with `series`, in their first two parts."""
    wrote = manifest.versions
    here = _versions_of(name for name in wrote if name in sys.modules)
    if here.items() >= wrote.items():
        return ""

    def part(version: str) -> object:
        return version.split(".")[:2] if series else version

    return "; ".join(
        f"{name} {version} wrote it, {name} {here[name]} is here"
        for name, version in manifest.versions.items()
        if name in here and part(here[name]) != part(version)
        if name != but and only in ("", name)
    )
