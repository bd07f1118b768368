"""Snapshots of folders on this machine: clones that are kept in the home.

    <home>/snapshots/<id>/snapshot.json     what it is of, when, by which run and step
    <home>/snapshots/<id>/content           the clone

A snapshot is there as a whole or not at all.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from kalelite.errors import UsageError
from kalelite.frozen import frozen
from kalelite.volumes.claimed_folder import claimed, sweep
from kalelite.volumes.folder_clone import clone_folder, remove_folder
from kalelite.volumes.workspace import named_folder


@frozen
class FolderSnapshot:
    """A snapshot of a folder. ``time`` is in POSIX seconds, ``size`` in bytes.

    ``run`` and ``step`` are empty if no run has taken it; ``left_out`` says what it lacks.
    """

    id: str
    volume: str
    folder: str
    time: float
    files: int
    size: int
    run: str = ""
    step: str = ""
    left_out: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> FolderSnapshot:
        """The snapshot from what `as_json` gave."""
        return cls(**{**data, "left_out": tuple(data["left_out"])})

    def as_json(self) -> dict[str, Any]:
        """The fields by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


class FolderSnapshots:
    """The snapshots in a home."""

    def __init__(self, home: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._home = home
        self._base = home / "snapshots"
        self._clock = clock

    def take(
        self, volume: str, folder: Path | None = None, *, run: str = "", step: str = ""
    ) -> FolderSnapshot:
        """Keep the state of a folder, by default the one that ``volume`` names.

        Raises `UsageError`: there is none, it cannot be read, or there is no room.
        """
        folder = folder or named_folder(volume)
        now = self._clock()
        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(now))
        id = f"{stamp}-{os.urandom(3).hex()}"
        part = self._base / f".{id}"
        sweep(self._base)
        with claimed(part):
            whole = part / "snapshot"
            try:
                made = clone_folder(
                    str(folder),
                    str(whole / "content"),
                    leave_out=(str(self._home),),
                    known_as=str(self._base.resolve() / id / "content"),
                )
                taken = FolderSnapshot(
                    id, volume, str(folder), now, made.files, made.size, run, step, made.left_out
                )
                (whole / "snapshot.json").write_text(json.dumps(taken.as_json(), indent=1), "utf-8")
                whole.rename(self._base / id)
            except OSError as error:
                raise UsageError(f"no snapshot of {folder} can be taken: {error}") from error
            finally:
                remove_folder(str(part))
        return taken

    def all(self) -> list[FolderSnapshot]:
        """All snapshots, oldest first."""
        paths = sorted(self._base.glob("[!.]*/snapshot.json"))
        return [FolderSnapshot.from_json(json.loads(path.read_bytes())) for path in paths]

    def restore(self, id: str, target: Path) -> None:
        """Make a folder of a snapshot: it is there as a whole, or not at all.

        Raises `UsageError`: something is there already, or it cannot be written.
        """
        if os.path.lexists(target) and not (target.is_dir() and not any(target.iterdir())):
            raise UsageError(
                f"{target} is not an empty folder", hint="Name a folder that is not there yet."
            )
        target = target.absolute()
        part = target.parent / f".{target.name}.{os.urandom(3).hex()}.part"
        try:
            with claimed(part):
                content = part / "content"
                clone_folder(str(self._base / id / "content"), str(content), known_as=str(target))
                content.replace(target)
        except OSError as error:
            raise UsageError(f"{target} cannot be made: {error}") from error
        finally:
            remove_folder(str(part))

    def delete(self, id: str) -> None:
        """Remove a snapshot."""
        gone = self._base / f".{id}.{os.urandom(3).hex()}"
        (self._base / id).rename(gone)
        remove_folder(str(gone))
