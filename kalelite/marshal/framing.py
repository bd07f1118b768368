"""How frames lie in a file: one after the other, each aligned."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pickle import PickleBuffer

from kalelite.marshal.registry import ALIGNMENT, Buffer, Frame


def padding(size: int) -> int:
    """How many bytes are missing to the next multiple of `ALIGNMENT`."""
    return -size % ALIGNMENT


def flatten(frames: Iterable[Frame]) -> Iterator[memoryview]:
    """The bytes of all frames in order, with the padding between them."""
    gap = 0
    for frame in frames:
        if gap:
            yield memoryview(bytes(gap))
        size = 0
        for piece in _pieces(frame):
            raw = view_of(piece)
            size += raw.nbytes
            yield raw
        gap = padding(size)


def frame_size(frame: Frame) -> int:
    """Bytes of a frame."""
    if type(frame) is bytes:
        return len(frame)
    return sum([view_of(piece).nbytes for piece in _pieces(frame)])


def view_of(piece: Buffer) -> memoryview:
    """A flat view of the bytes of a contiguous buffer."""
    return piece.raw() if isinstance(piece, PickleBuffer) else PickleBuffer(piece).raw()


def _pieces(frame: Frame) -> Sequence[Buffer]:
    """The pieces that a frame was given in."""
    return frame if isinstance(frame, list | tuple) else [frame]  # type: ignore[list-item]
