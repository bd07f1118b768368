"""What the driver, the fork server and the tasks' processes tell each other, and how it travels.

A message is one JSON object with its length before it, over a stream given as its descriptor.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypedDict

if TYPE_CHECKING:
    from kalelite.backends.local.containers.container_process import ContainerTerms

__all__ = [
    "DONE",
    "Command",
    "Configure",
    "FreshInterpreter",
    "Import",
    "Mailbox",
    "Report",
    "Signal",
    "Start",
    "TaskRequest",
    "decode",
    "framed",
    "send",
]


class FreshInterpreter(TypedDict):
    """How to start Python anew, for what cannot be forked: its flags, and a folder to search first."""

    flags: list[str]
    path: str


class TaskRequest(TypedDict):
    """What the process of one attempt is to do.

    ``task`` is the number of the attempt, ``spec`` the fields of its `TaskSpec`. ``log`` is where
    its output goes, ``memory`` the bytes that it may have, 0 for no limit. With ``timed`` the
    driver wants to know when it starts. ``container`` is how its container is run, if it has one.
    """

    task: int
    spec: Mapping[str, Any]
    code: str
    store: str
    verify: Literal["before", "background", "off"]
    env: Mapping[str, str]
    log: str
    memory: int
    timed: bool
    container: ContainerTerms | None
    fresh: FreshInterpreter | None


class Import(TypedDict):
    """Import modules ahead, for all processes that come after."""

    do: Literal["import"]
    modules: list[str]


class Configure(TypedDict):
    """The surroundings of all processes that come after."""

    do: Literal["configure"]
    env: dict[str, str]
    path: list[str]
    argv: list[str]
    cwd: str
    umask: int


class Start(TypedDict):
    """Start a process for an attempt."""

    do: Literal["start"]
    request: TaskRequest


class Signal(TypedDict):
    """Send a signal to all processes of an attempt."""

    do: Literal["signal"]
    task: int
    number: int


Command = Import | Configure | Start | Signal
"""From the driver to the server."""


class Importing(TypedDict):
    """A module is being imported."""

    what: Literal["importing"]
    module: str


class Imported(TypedDict):
    """All modules have been imported."""

    what: Literal["imported"]


class Unsafe(TypedDict):
    """A module has left the server unfit to be forked; it ends."""

    what: Literal["unsafe"]
    reason: str


class Stale(TypedDict):
    """Modules were imported under other variables than those wanted; the server ends."""

    what: Literal["stale"]


class HasProcess(TypedDict):
    """An attempt that is timed has its process now."""

    what: Literal["started"]
    task: int


class ProcessEnded(TypedDict):
    """The process of an attempt has ended, as `os.wait4` says; or ``error``: it has got none."""

    what: Literal["ended"]
    task: int
    status: int
    peak: int
    error: str


Report = Importing | Imported | Unsafe | Stale | HasProcess | ProcessEnded
"""From the server to the driver."""

DONE = struct.Struct("!IQ")
"""What a child writes to the driver once its record is committed: its task, its peak in bytes."""

_LENGTH = struct.Struct("!I")
_CHUNK = 1 << 18
_ENCODE = json.JSONEncoder(separators=(",", ":")).encode
_DECODE = json.JSONDecoder().decode


def framed(body: bytes) -> bytes:
    """A message's body as it is sent."""
    return _LENGTH.pack(len(body)) + body


def decode(body: bytes) -> Any:
    """The message that a body holds: a `Command` or a `Report`."""
    return _DECODE(body.decode("utf-8", "surrogatepass"))


def send(channel: int, message: Command | Report) -> None:
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
