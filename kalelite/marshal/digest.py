"""Digests and the references made of them.

A reference is ``<algorithm>-<hex digits>``: it names the bytes of an object file, it is safe in
a path and as a pipeline parameter, and two stores agree on it.

Two algorithms are known. ``xxh3`` (XXH3, 128 bits) runs at memory speed, so that verifying an
array costs a fraction of writing it, but it is compiled code that a bare image lacks.
``sha256`` is in every Python. A store writes with one and reads both where it can; a store that
is read by images not known here (Kubeflow Pipelines) is written with sha256. Both guard against
accidents, not against someone who may write to the volume: pickles there run code anyway.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import mmap
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol, Self

from kalelite.errors import MarshalError, UsageError

if TYPE_CHECKING:
    import threading

ALGORITHMS = {"xxh3": 32, "sha256": 64}
"""Known algorithms and the number of their hex digits."""

CHUNK = 1 << 20
"""Bytes that are digested or copied at a time: they stay in the cache meanwhile."""

_REFERENCE = re.compile(r"(xxh3)-([0-9a-f]{32})|(sha256)-([0-9a-f]{64})")


class BadReferenceError(MarshalError):
    """That is not the name of a stored value."""


class Digest(Protocol):
    """What hashlib's and xxhash's objects share."""

    def update(self, data: Any, /) -> object: ...

    def hexdigest(self) -> str: ...


@functools.cache
def _constructor(algorithm: str) -> Callable[[], Digest]:
    if algorithm == "sha256":
        return hashlib.sha256
    try:
        import xxhash
    except ImportError as error:
        raise MarshalError(
            "this value was stored with an xxh3 digest, and the package xxhash is not installed here",
            hint='install xxhash in this environment, or store with digest="sha256"',
        ) from error
    return xxhash.xxh3_128


def hasher(algorithm: str) -> Digest:
    """A new digest.

    Raises `UsageError`: the algorithm is not known; `MarshalError`: it is, but its library is not
    installed here.
    """
    if algorithm not in ALGORITHMS:
        raise UsageError(f"unknown digest {algorithm!r}", hint=f"one of {', '.join(ALGORITHMS)}")
    return _constructor(algorithm)()


@functools.cache
def default_algorithm() -> str:
    """xxh3 where the package xxhash is installed, else sha256."""
    try:
        _constructor("xxh3")
    except MarshalError:
        return "sha256"
    return "xxh3"


def file_chunks(fd: int, size: int) -> Iterator[memoryview]:
    """The content of a file: mapped, which is twice as fast as reading; read where it must be."""
    try:
        image = mmap.mmap(fd, size, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ)
    except (OSError, ValueError):  # no mapping here, or nothing to map
        buffer = memoryview(bytearray(CHUNK))
        while got := os.readv(fd, [buffer]):
            yield buffer[:got]
        return
    with image, memoryview(image) as view:
        for start in range(0, size, 4 * CHUNK):
            with view[start : start + 4 * CHUNK] as chunk:
                yield chunk


def reference_to(pieces: Iterable[Any], algorithm: str) -> str:
    """The reference to the bytes of some buffers, one after the other."""
    digest = hasher(algorithm)
    for piece in pieces:
        digest.update(piece)
    return f"{algorithm}-{digest.hexdigest()}"


class Digesting:
    """The reference to the bytes of some buffers, computed in a thread while they are written.

    Both algorithms let other threads run meanwhile, so on two processors the digest is for free.
    Where no thread is to be had, as under a limit on memory, it is computed when it is needed.
    """

    def __init__(self, pieces: Sequence[memoryview], algorithm: str) -> None:
        self._pieces = pieces
        self._algorithm = algorithm
        self._digest = hasher(algorithm)
        self._stopped = False
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        import threading  # small values, which are most, do without

        thread = threading.Thread(target=self._work, name="kalelite-digest", daemon=True)
        with contextlib.suppress(RuntimeError):
            thread.start()
            self._thread = thread
        return self

    def __exit__(self, *failure: object) -> None:
        self._stopped = True
        self._finish()

    def reference(self) -> str:
        """Once all is digested."""
        self._finish()
        return f"{self._algorithm}-{self._digest.hexdigest()}"

    def _finish(self) -> None:
        if self._thread is None:
            self._work()
        else:
            self._thread.join()

    def _work(self) -> None:
        for piece in self._pieces:
            for start in range(0, piece.nbytes, CHUNK):
                if self._stopped:
                    return
                self._digest.update(piece[start : start + CHUNK])


@functools.lru_cache(4096)
def split_reference(reference: str) -> tuple[str, str]:
    """Algorithm and hex digits.

    Raises `BadReferenceError`: that is not a reference.
    """
    match = _REFERENCE.fullmatch(reference) if isinstance(reference, str) else None
    if match is None:
        raise BadReferenceError(f"{reference!r} is not a reference to a stored value")
    return (match[1], match[2]) if match[1] else (match[3], match[4])
