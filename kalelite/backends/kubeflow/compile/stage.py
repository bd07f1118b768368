"""How the bundle reaches the steps: a stage task writes it, or the workspace clone carries it."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from kalelite.backends.kubeflow.compile import stage_program
from kalelite.backends.kubeflow.compile.inline_program import inline

__all__ = ["ARGUMENT_LIMIT", "CHUNK", "PART_LIMIT", "Part", "bundle_path", "parts_of"]

ARGUMENT_LIMIT = 131_071
"""Bytes that one argument of a process may have on Linux (MAX_ARG_STRLEN less the final zero)."""

PART_LIMIT = 96_000
"""Base64 characters that one stage task brings.

The driver gets a task's whole container as *one* argument, so all chunks of a task together, and
the JSON around them, have to stay below `ARGUMENT_LIMIT`.
"""

CHUNK = 48_000
"""Characters in each argument."""


@dataclass(frozen=True, slots=True)
class Part:
    """A stage task: its number, counted from 1, and its whole command."""

    number: int
    command: tuple[str, ...]
    args: tuple[str, ...]


def bundle_path(home: str, digest: str) -> str:
    """Where the bundle lies on the volume: its name is its digest, so nothing is ever changed."""
    return f"{home}/code/{digest[:16]}.pyz"


def parts_of(bundle: bytes, digest: str, *, home: str, root: str = "") -> tuple[Part, ...]:
    """The stage tasks that write a bundle.

    Parameters
    ----------
    bundle
        The zip application.
    digest
        Its SHA-256 in hexadecimal.
    home
        The folder of kalelite on the volume.
    root
        The mount point, if the volume is new and all of it is to be writable for the steps.
    """
    text = base64.b64encode(bundle).decode("ascii")
    # A part is decoded on its own: base64 may be cut after every fourth character only.
    pieces = [text[start : start + PART_LIMIT] for start in range(0, len(text), PART_LIMIT)]
    folders = [*([root] if root else []), home, *(f"{home}/{name}" for name in ("store", "runs"))]
    common = ["--target", bundle_path(home, digest), "--digest", digest]
    for folder in folders:
        common += ["--open", folder]
    parts = []
    for number, piece in enumerate(pieces, 1):
        chunks = [piece[start : start + CHUNK] for start in range(0, len(piece), CHUNK)]
        place = ["--part", str(number), "--parts", str(len(pieces))]
        args = (*common, *place, *chunks)
        parts.append(Part(number, tuple(inline(stage_program)), args))
    return tuple(parts)
