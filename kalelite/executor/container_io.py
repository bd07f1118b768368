"""Values as files and texts for a container, and the files of a container as values.

A backend that mounts files calls them; one that cannot makes them tasks before and after a
container, and they travel with the pipelines that need them.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from kalelite.errors import StepError

_LONGEST = 60_000
"""Bytes of a text that may go into a command line: Linux takes twice that, and a backend may carry
it a few times over."""


def give(value: Any, path: str, name: str) -> None:
    """Write the file or folder that a container reads: a copy of what is at a path, or a text.

    ``name`` is the input of the container, for errors. Raises `StepError` if there is no file at
    the path that was given.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    if not isinstance(value, Path):
        Path(path).write_text(_as_text(value), "utf-8", newline="")
    elif value.is_dir():
        shutil.copytree(value, path, dirs_exist_ok=True)
    elif value.is_file():
        shutil.copyfile(value, path)
    else:
        raise _no_file(name, value)


def take(path: str, name: str) -> Path:
    """The file or folder that a container has written, for the store; `StepError` if none is."""
    # A link could lead to anything outside the container.
    if Path(path).is_symlink() or not Path(path).exists():
        raise StepError(
            f"the container ended well but did not write the output {name!r}",
            hint=f"It has to write it to the path that OutputPath({name!r}) stands for.",
        )
    return Path(path)


def text(value: Any, name: str) -> str:
    """A value as an argument of a command: of a file its content, else JSON but for plain text.

    Raises `StepError` if there is no file, it is no text, or too long a text.
    """
    if isinstance(value, Path):
        if not value.is_file():
            raise _no_file(name, value)
        try:
            value = value.read_bytes().decode("utf-8")
        except UnicodeDecodeError:
            raise StepError(
                f"the input {name!r} is a file that is no text",
                hint=f"Take its path: InputPath({name!r}).",
            ) from None
    found = _as_text(value)
    if len(found.encode("utf-8", "surrogatepass")) > _LONGEST:
        raise StepError(
            f"the input {name!r} is too long for a command line",
            hint=f"Take it as a file: InputPath({name!r}).",
        )
    return found


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    from kalelite.plan.types.convert import to_text  # travels with pipelines that need it

    return to_text(value)


def _no_file(name: str, path: Path) -> StepError:
    return StepError(
        f"the input {name!r} is to be a file, and there is none at {str(path)!r}",
        hint="Give the path that a step returned, or of a file that this step can reach.",
    )
