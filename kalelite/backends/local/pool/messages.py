"""Messages over a stream of bytes, given as its descriptor: a length, then JSON."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator
from typing import Any

__all__ = ["DONE", "Mailbox", "Message", "framed", "parse", "send"]

Message = dict[str, Any]

DONE = struct.Struct("!IQ")
"""What a child writes to the driver once its record is committed: its task, its peak in bytes."""

_LENGTH = struct.Struct("!I")
_CHUNK = 1 << 18
_ENCODE = json.JSONEncoder(separators=(",", ":")).encode
_DECODE = json.JSONDecoder().decode


def framed(body: bytes) -> bytes:
    """A message's body as it is sent."""
    return _LENGTH.pack(len(body)) + body


def parse(body: bytes) -> Message:
    """The message that a body holds."""
    message: Message = _DECODE(body.decode("utf-8", "surrogatepass"))
    return message


def send(channel: int, message: Message) -> None:
    """Send one message whole.

    Raises
    ------
    OSError
        Nobody is there any more.
    """
    data = framed(_ENCODE(message).encode("utf-8", "surrogatepass"))
    done = os.write(channel, data)
    while done < len(data):
        done += os.write(channel, data[done:])


class Mailbox:
    """Cuts what arrives into the bodies of messages."""

    def __init__(self, channel: int) -> None:
        self._channel = channel
        self._buffer = bytearray()
        self.closed = False

    def receive(self) -> Iterator[bytes]:
        """Read once, and give the bodies that are complete; sets ``closed`` at the end."""
        try:
            chunk = os.read(self._channel, _CHUNK)
        except ConnectionError:
            chunk = b""
        if not chunk:
            self.closed = True
            return
        self._buffer += chunk
        while len(self._buffer) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer)
            end = _LENGTH.size + length
            if len(self._buffer) < end:
                return
            body = bytes(self._buffer[_LENGTH.size : end])
            del self._buffer[:end]
            yield body
