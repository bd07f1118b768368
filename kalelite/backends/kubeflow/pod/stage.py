"""Putting the run's code onto the volume that its steps share, and opening that for all of them."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from pathlib import Path

_OPEN = 0o777


def stage(home: str, root: str = "") -> None:
    """Copy the bundle that runs this to its place, under its digest; doing it twice changes nothing.

    ``home`` is kalelite's folder, ``root`` that of a new volume, which is opened as well.
    """
    os.umask(0)
    for folder in [
        *([root] if root else []),
        home,
        f"{home}/store",
        f"{home}/runs",
        f"{home}/code",
    ]:
        _open_up(Path(folder))
    bundle = Path(sys.argv[0])
    digest = hashlib.sha256(bundle.read_bytes()).hexdigest()
    target = Path(home, "code", f"{digest[:16]}.pyz")
    if target.exists() and hashlib.sha256(target.read_bytes()).hexdigest() == digest:
        print(f"prepare: {target} is there")
        return
    part = target.with_name(f".{target.name}.{os.urandom(4).hex()}")
    shutil.copyfile(bundle, part)
    with part.open("rb+") as file:
        os.fsync(file.fileno())
    part.chmod(0o644)
    part.replace(target)
    print(f"prepare: {target}")


def _open_up(folder: Path) -> None:
    """Make a folder that every user of the run's steps may write to; only its owner can."""
    folder.mkdir(parents=True, exist_ok=True)
    mode = folder.stat().st_mode & 0o7777
    if mode & _OPEN == _OPEN:
        return
    try:
        folder.chmod(mode | _OPEN)
    except PermissionError:
        print(f"prepare: {folder} belongs to another user and has the mode {mode:o}:")
        print("prepare: steps that run as another user cannot write there")
