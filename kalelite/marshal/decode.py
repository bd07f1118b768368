"""From a manifest and frames back to the value, and what to say when that fails."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from typing import Any

from kalelite.errors import KaleliteError, MarshalError, VersionMismatchError
from kalelite.marshal.encode import versions_of
from kalelite.marshal.manifest import Manifest
from kalelite.marshal.registry import Format, format_for_encoding

__all__ = ["decode"]


def decode(manifest: Manifest, frames: Sequence[memoryview], *, data_only: bool = False) -> Any:
    """The value.

    Raises
    ------
    VersionMismatchError
        It cannot be read, and Python or a library is not the one that wrote it.
    MarshalError
        It cannot be read for another reason, or is a pickle where only data is allowed.
    """
    item = _format(manifest)
    if data_only and not item.data_only:
        raise MarshalError(
            f"this {manifest.type} is stored as a pickle ({manifest.encoding}), and pickles run code",
            hint='read it with formats="all" if you trust whoever may write to the store',
        )
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
        raise _failure(manifest, error) from error
    # Now every library that took part is imported. A pickle itself is the same for each Python.
    if not item.data_only and (skew := _skew(manifest, series=True, but="python")):
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


def _failure(manifest: Manifest, error: Exception) -> MarshalError:
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


def _skew(manifest: Manifest, *, series: bool = False, only: str = "", but: str = "") -> str:
    """Versions that differ from those that wrote the value; with `series`, in their first two parts."""
    wrote = manifest.versions
    here = versions_of(name for name in wrote if name in sys.modules)
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
