"""One container, from its image to its end: nothing of it is left behind, whatever happens."""

from __future__ import annotations

import collections
import contextlib
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, TypedDict

from kalelite.backends.local.containers.guard import LABEL
from kalelite.errors import KaleliteError
from kalelite.plan.names import slug

_CALL = 20
"""Seconds that the engine may take to remove a container."""


class ContainerError(KaleliteError):
    """A container could not be started, or has failed."""


class ContainerTerms(TypedDict):
    """How this machine runs the container of one attempt.

    ``program`` is the command of the engine, ``label`` what marks the containers of this run.
    ``flags`` are the arguments of ``run`` that the step's options amount to, ``folder`` is where
    its files go while it runs. ``grace`` are the seconds between SIGTERM and SIGKILL, ``pull`` is
    the step's ``pull_policy``, ``memory`` what bounds it, as the option has it.
    """

    program: str
    label: str
    flags: Sequence[str]
    folder: str
    grace: float
    pull: str | None
    memory: str | None


def run(
    terms: ContainerTerms,
    step: str,
    image: str,
    command: Sequence[str],
    args: Sequence[str],
    mounts: Sequence[str],
) -> None:
    """Run an image to its end; what it prints is printed here.

    ``command`` and ``args`` are what to run in it, instead of what the image says; ``mounts`` are
    more arguments for the engine. Raises `ContainerError` if there is no such image, the container
    does not start, or it fails.
    """
    _ensure_image(terms, image)
    name = f"kalelite-{slug(step)}-{secrets.token_hex(4)}"
    entry = [f"--entrypoint={command[0]}"] if command else []
    own = ["--rm", "--pull=never", f"--name={name}", f"--label={LABEL}={terms['label']}"]
    argv = [
        terms["program"],
        "run",
        *own,
        *terms["flags"],
        *mounts,
        *entry,
        image,
        *command[1:],
        *args,
    ]
    code, last = _call(argv, lambda: _stop(terms, name))
    if code:
        raise _failure(terms, code, last)


def _engine(terms: ContainerTerms) -> str:
    return Path(terms["program"]).name


def _ensure_image(terms: ContainerTerms, image: str) -> None:
    """See that the image is on this machine."""
    if terms["pull"] != "Always" and not _quietly([terms["program"], "image", "inspect", image]):
        return
    if terms["pull"] == "Never":
        raise ContainerError(
            f"the image {image!r} is not on this machine, and pull_policy='Never' forbids to get it",
            hint=f"Get it yourself: {_engine(terms)} pull {image}",
        )
    code, last = _call([terms["program"], "pull", image])
    if code:
        raise ContainerError(
            f"the image {image!r} was not found, or could not be pulled{last}",
            hint=f"Correct its name; if it is private, log in first: {_engine(terms)} login",
        )


def _call(argv: list[str], stop: Callable[[], None] | None = None) -> tuple[int, str]:
    """Run a command whose output is printed here; its exit code, and a phrase on its last line."""
    process = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="backslashreplace",
        # A signal to this process's group is for this process, which ends the container.
        start_new_session=True,
    )
    assert process.stdout is not None
    last: collections.deque[str] = collections.deque(maxlen=1)
    reader = threading.Thread(target=_print, args=(process.stdout, last), daemon=True)
    reader.start()
    try:
        code = process.wait()
    except BaseException:
        if stop is not None:
            stop()
        process.kill()
        process.wait()
        raise
    # The engine's own helpers may hold the pipe a little longer.
    reader.join(timeout=2)
    return code, f"; it printed last: {last[0][:500]}" if last else ""


def _print(stream: IO[str], last: collections.deque[str]) -> None:
    with stream, contextlib.suppress(ValueError, OSError):
        for line in iter(lambda: stream.readline(1 << 16), ""):
            sys.stdout.write(line)
            if line.strip():
                last.append(line.strip())


def _stop(terms: ContainerTerms, name: str) -> None:
    """End a container: SIGTERM, SIGKILL a little before this process would get it, removal."""
    seconds = int(terms["grace"] * 0.6)
    _quietly([terms["program"], "stop", "-t", str(seconds), name], seconds + _CALL)
    _quietly([terms["program"], "rm", "--force", "--volumes", name])


def _quietly(argv: list[str], timeout: float = _CALL) -> int:
    """Run a command for its exit code only; -1 if it hangs."""
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return -1
    return done.returncode


def _failure(terms: ContainerTerms, code: int, last: str) -> ContainerError:
    """What an exit code means, as engines and shells use them."""
    if code == 125:
        hint = "What the engine says is in the log."
        return ContainerError(f"{_engine(terms)} could not start its container{last}", hint=hint)
    if code in (126, 127):
        what = "it cannot run a program" if code == 126 else "a program is not there"
        hint = "Correct command=, or take an image that has the program."
        return ContainerError(f"its container ended with exit code {code}: {what}{last}", hint=hint)
    if code == 128 + signal.SIGKILL:
        limit = f" beyond its {terms['memory']}" if terms["memory"] else ""
        why = f"by a person or for want of memory{limit}"
        return ContainerError(f"its container was killed (SIGKILL), {why}{last}")
    return ContainerError(f"its container ended with exit code {code}{last}")
