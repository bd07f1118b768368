"""`pathlib.Path`: a path to a file or folder brings it along, any other path is just a name."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kalelite.errors import UnmarshallableError
from kalelite.marshal.attachments import current_attachments
from kalelite.marshal.registry import Format, Frame, register
from kalelite.marshal.removed import was_removed

_Path = type(Path())


def _exists(path: Path) -> bool:
    """Whether there is something; a path that cannot even be looked at is refused."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        if was_removed(path):
            raise UnmarshallableError(
                f"{path} is not there any more: this step removed or renamed it",
                hint="return the path while the file is there, outside of `with TemporaryDirectory()`,"
                " or return str(path) to hand on only the name",
            ) from None
        return False
    except (OSError, ValueError) as error:
        if isinstance(error, PermissionError):
            raise UnmarshallableError(f"{path} cannot be read: {error}") from error
        return False  # a name too long, a loop of links, a NUL: a name and no more
    return True


class PathFormat(Format):
    """A path; the file or folder that it names is in the store, not in the frames."""

    encoding = "pathlib.path/1"

    def claims(self, value: Any) -> bool:
        return type(value) is _Path

    def dump(self, value: Any) -> tuple[dict[str, Any], Sequence[Frame]]:
        if _exists(value):
            return {"stored": current_attachments().add(os.fspath(value))}, []
        return {"name": os.fspath(value)}, []

    def load(self, header: Mapping[str, Any], frames: Sequence[memoryview]) -> Any:
        del frames
        return stored_path(header["stored"]) if "stored" in header else Path(header["name"])


def stored_path(stored: int | str) -> Path:
    """A path to a stored file or folder; what pickles name: part of the stored format."""
    return current_attachments().hand_out(stored)


def _reduce(value: Path) -> Any:
    if not _exists(value):
        return NotImplemented
    return stored_path, (current_attachments().add(os.fspath(value)),)


register(_Path, PathFormat(), reduce=_reduce)
