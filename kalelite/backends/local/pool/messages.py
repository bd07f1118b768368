"""What the driver, the fork server and the tasks' processes send each other, and how it travels.

A message travels as a line with the JSON list of its name and fields, over a stream that is given
as its descriptor.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

from kalelite.executor.spec import TaskSpec, fields_of

if TYPE_CHECKING:
    from kalelite.backends.local.containers.container_process import ContainerTerms

Verify = Literal["before", "background", "off"]
"""When a step's inputs are checked."""


class TaskRequest(NamedTuple):
    """Start a process for one attempt at a task: all that it is to do.

    ``task`` is the number of the attempt. ``log`` is where its output goes, ``memory`` the bytes
    that it may have, 0 for no limit. With ``timed`` the driver wants to know when it starts.
    ``container`` is how its container is run, if it has one. Where ``flags`` are not None it is a
    fresh interpreter with those, which searches ``path`` first, for what cannot be forked. ``work``
    is a working folder of its own, if it may run beside others, and ``turn`` its place among them.
    """

    task: int
    spec: TaskSpec
    code: str
    store: str
    verify: Verify
    env: Mapping[str, str]
    log: str
    memory: int = 0
    timed: bool = False
    container: ContainerTerms | None = None
    flags: list[str] | None = None
    path: str = ""
    work: str = ""
    turn: Sequence[int] = ()


class ImportAhead(NamedTuple):
    """Import modules, for all processes that come after."""

    modules: list[str]


class Configure(NamedTuple):
    """The surroundings of all processes that come after."""

    env: dict[str, str]
    path: list[str]
    argv: list[str]
    cwd: str
    umask: int


class Signal(NamedTuple):
    """Send a signal to all processes of an attempt."""

    task: int
    number: int


Command = TaskRequest | ImportAhead | Configure | Signal
"""From the driver to the server."""


class Importing(NamedTuple):
    """A module is being imported; "" once all have been."""

    module: str = ""


class Unsafe(NamedTuple):
    """A module has left the server unfit to be forked; it ends."""

    reason: str


class Stale(NamedTuple):
    """Modules were imported under other variables than those wanted; the server ends."""


class Started(NamedTuple):
    """An attempt whose request is ``timed`` has its process now."""

    task: int


class Ended(NamedTuple):
    """The process of an attempt has ended. ``status`` is as `os.waitpid` gives it.

    ``peak`` is its largest resident size in bytes. With ``oom`` the kernel has killed processes
    for want of memory meanwhile. ``error`` is set where no process could be had, or where it was
    lost together with the server.
    """

    task: int
    status: int = 0
    peak: int = 0
    oom: bool = False
    error: str = ""


Report = Importing | Unsafe | Stale | Started | Ended
"""From the server to the driver."""


class Done(NamedTuple):
    """An attempt has committed its record; its process is about to end."""

    task: int
    peak: int = 0


DONE = struct.Struct("!IQ")
"""A `Done` as the process itself writes it to the driver."""

_KINDS: dict[str, Any] = {kind.__name__: kind for kind in (*get_args(Command), *get_args(Report))}
_CHUNK = 1 << 18
_ENCODE = json.JSONEncoder(separators=(",", ":"), default=fields_of).encode
_DECODE = json.JSONDecoder().decode


def encode(message: Command | Report) -> bytes:
    """A message as a line, without its end."""
    return _ENCODE([type(message).__name__, *message]).encode("ascii")


def decode(line: bytes) -> Any:
    """The message that a line holds: a `Command` or a `Report`."""
    name, *fields = _DECODE(line.decode("ascii"))
    message = _KINDS[name](*fields)
    if isinstance(message, TaskRequest):
        return message._replace(spec=TaskSpec.from_json(fields[1]))
    return message


def send(channel: int, message: Command | Report) -> None:
    """Send one message whole. Raises `OSError` if nobody is there any more."""
    write(channel, encode(message))


def write(channel: int, line: bytes) -> None:
    """Send what `encode` has made."""
    line += b"\n"
    done = os.write(channel, line)
    while done < len(line):
        done += os.write(channel, line[done:])


class Mailbox:
    """Cuts what arrives into lines."""

    def __init__(self, channel: int) -> None:
        self._channel = channel
        self._rest = b""
        self.closed = False

    def receive(self) -> list[bytes]:
        """Read once, and give the lines that are complete; sets ``closed`` at the end."""
        try:
            chunk = os.read(self._channel, _CHUNK)
        except ConnectionError:
            chunk = b""
        self.closed = not chunk
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        return lines
