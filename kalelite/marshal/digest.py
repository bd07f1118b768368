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
import errno
import functools
import mmap
import os
import re
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Protocol, Self

from kalelite.errors import MarshalError, UsageError
from kalelite.file_copy import extents

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
        from hashlib import sha256  # loads OpenSSL

        return sha256
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
    """The content of a file: mapped, which is twice as fast as reading; read where it must be.

    The holes of a sparse file are known to be zeros and not read.
    """
    try:
        image = mmap.mmap(fd, size, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ)
    except (OSError, ValueError):  # no mapping here, or nothing to map
        buffer = memoryview(bytearray(CHUNK))
        while got := os.readv(fd, [buffer]):
            yield buffer[:got]
        return
    with image, memoryview(image) as view:
        for begin, end, is_data in extents(fd, size):
            for start in range(begin, end, 4 * CHUNK):
                stop = min(start + 4 * CHUNK, end)
                if is_data:
                    with view[start:stop] as chunk:
                        yield chunk
                else:
                    yield _zeros()[: stop - start]


@functools.cache
def _zeros() -> memoryview:
    return memoryview(bytes(4 * CHUNK))


def reference_to(pieces: Iterable[Any], algorithm: str) -> str:
    """The reference to the bytes of some buffers, one after the other."""
    digest = hasher(algorithm)
    for piece in pieces:
        digest.update(piece)
    return f"{algorithm}-{digest.hexdigest()}"


class Digesting:
    """The reference to the bytes of a file, computed in a thread while it is written.

    Both algorithms let other threads run meanwhile, so on two processors the digest is for free.
    Where no thread is to be had, as under a limit on memory, it is computed when it is needed.
    What is in the file counts: another thread may change a value while it is written.
    """

    def __init__(self, fd: int, algorithm: str) -> None:
        from queue import SimpleQueue  # small values, which are most, do without

        self._fd = fd
        self._algorithm = algorithm
        self._digest = hasher(algorithm)
        self._sizes: SimpleQueue[int] = SimpleQueue()
        self._stopped = False
        self._error: OSError | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        import threading  # as above

        thread = threading.Thread(target=self._work, name="kalelite-digest", daemon=True)
        with contextlib.suppress(RuntimeError):
            thread.start()
            self._thread = thread
        return self

    def __exit__(self, *failure: object) -> None:
        self._stopped = True
        self._finish()

    def wrote(self, size: int) -> None:
        """So many bytes more are in the file."""
        self._sizes.put(size)

    def reference(self) -> str:
        """Once all is written; raises `OSError` if it cannot be read again."""
        self._finish()
        if self._error is not None:
            raise self._error
        return f"{self._algorithm}-{self._digest.hexdigest()}"

    def _finish(self) -> None:
        self._sizes.put(0)
        if self._thread is None:
            self._work()
        else:
            self._thread.join()

    def _work(self) -> None:
        done = end = 0
        buffer = memoryview(bytearray(CHUNK))
        try:
            while size := self._sizes.get():
                end += size
                while done < end and not self._stopped:
                    got = os.preadv(self._fd, [buffer[: end - done]], done)
                    if not got:
                        self._error = OSError(errno.EIO, "what was written is not there")
                        return
                    self._digest.update(buffer[:got])
                    done += got
        except OSError as error:
            self._error = error


@functools.lru_cache(4096)
def split_reference(reference: str) -> tuple[str, str]:
    """Algorithm and hex digits.

    Raises `BadReferenceError`: that is not a reference.
    """
    match = _REFERENCE.fullmatch(reference) if isinstance(reference, str) else None
    if match is None:
        raise BadReferenceError(f"{reference!r} is not a reference to a stored value")
    return (match[1], match[2]) if match[1] else (match[3], match[4])
