"""Messages over a stream socket: a length, then JSON."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Iterator
from typing import Any

__all__ = ["Mailbox", "Message", "send"]

Message = dict[str, Any]

_LENGTH = struct.Struct("!I")
_CHUNK = 1 << 18


def send(channel: socket.socket, message: Message) -> None:
    """Send one message whole.

    Raises
    ------
    OSError
        Nobody is there any more.
    """
    body = json.dumps(message, separators=(",", ":")).encode("utf-8", "surrogatepass")
    channel.sendall(_LENGTH.pack(len(body)) + body)


class Mailbox:
    """Cuts what arrives on a socket into messages."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._buffer = bytearray()
        self.closed = False

    def receive(self) -> Iterator[Message]:
        """Read once, and give the messages that are complete; sets ``closed`` at the end."""
        try:
            chunk = self._channel.recv(_CHUNK)
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
            yield json.loads(body.decode("utf-8", "surrogatepass"))
