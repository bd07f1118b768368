"""The program of a stage step: it puts the run's code on the volume that the steps share.

It travels as text in the step's arguments and imports the standard library only. The code comes
in base64 chunks; code too large for one step comes in parts, each brought by a step of its own,
and the step that brings the last one puts them together. Doing it twice changes nothing.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import os
import sys
from pathlib import Path

OPEN = 0o777


def open_up(folder: Path) -> None:
    """Make a folder that every user of the run's steps may write to.

    Only a folder's owner can. The owner of a new volume is root, who may not do more than that in
    a pod, and no pod option of KFP gives a volume to a group: so the mode has to do it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    mode = folder.stat().st_mode & 0o7777
    if mode & OPEN == OPEN:
        return
    try:
        folder.chmod(mode | OPEN)
    except PermissionError:
        print(f"stage: {folder} belongs to another user and has the mode {mode:o}:")
        print("stage: steps that run as another user cannot write there")


def digest_of(path: Path) -> str:
    """The SHA-256 of a file, empty if there is none."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else ""


def write(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.chmod(0o644)
    temporary.replace(path)


def main(argv: list[str] | None = None) -> None:
    """Write one part of the code; with the last part, the whole."""
    parser = argparse.ArgumentParser(prog="stage")
    parser.add_argument("--target", type=Path, required=True)
    parser.add_argument("--digest", required=True)
    parser.add_argument("--part", type=int, default=1)
    parser.add_argument("--parts", type=int, default=1)
    parser.add_argument("--open", type=Path, action="append", default=[])
    parser.add_argument("chunks", nargs="+")
    given = parser.parse_args(argv)
    os.umask(0)
    for folder in given.open:
        open_up(folder)
    open_up(given.target.parent)
    if digest_of(given.target) == given.digest:
        print(f"stage: {given.target} is there")
        return
    names = [f"{given.target.name}.part-{number}" for number in range(1, given.parts + 1)]
    parts = [given.target.with_name(name) for name in names]
    write(parts[given.part - 1], base64.b64decode("".join(given.chunks), validate=True))
    if given.part < given.parts:
        print(f"stage: part {given.part} of {given.parts}")
        return
    data = b"".join(part.read_bytes() for part in parts)
    if hashlib.sha256(data).hexdigest() != given.digest:
        sys.exit(f"stage: the code that arrived at {given.target} is not the code that was sent")
    write(given.target, data)
    for part in parts:
        part.unlink(missing_ok=True)
    print(f"stage: {given.target}, {len(data)} bytes")


if __name__ == "__main__":
    main()
