"""What was asked, done: its verb is given the settings, and where its text goes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TextIO

from kalelite.cli.command import Command, settings_of
from kalelite.cli.parser import Request
from kalelite.display.screen import Screen
from kalelite.errors import UsageError
from kalelite.settings import misspelt_variables


def perform(request: Request, words: Sequence[str]) -> int:
    """Do what was asked; the exit code."""
    try:
        os.getcwd()
    except FileNotFoundError:
        from kalelite.backends.local.prepare import require_folder

        require_folder()
    options = request.options
    settings = settings_of(options)
    err = Screen(sys.stderr)
    for note in misspelt_variables(os.environ):
        err.line(note)
    with _streams(as_json=settings["output"].value == "json") as out:
        command = Command(options, settings, out, err, words, request.script_args, os.getcwd())
        code = request.verb.perform(command)
    if out.error is not None:
        raise UsageError(f"the output cannot be written: {out.error.strerror}")
    return code


@contextmanager
def _streams(*, as_json: bool) -> Iterator[Screen]:
    """The output to write to. For JSON it alone has the standard output.

    What the user's script prints goes to the standard error then, also what its libraries
    write past Python.
    """
    if not as_json:
        yield Screen(sys.stdout)
        return
    before = sys.stdout
    before.flush()
    try:
        own = before.fileno() == 1
    except (OSError, ValueError, AttributeError):
        own = False
    stream: TextIO = before
    if own:
        stream = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)
    sys.stdout = sys.stderr
    try:
        yield Screen(stream)
    finally:
        sys.stdout = before
        if own:
            os.dup2(stream.fileno(), 1)
            with suppress(BrokenPipeError):
                stream.close()
