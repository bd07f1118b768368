"""From a request to what is done: settings, streams, and the command itself."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from kalelite.cli.parser import Request
from kalelite.cli.settings import (
    Value,
    find_config,
    resolve_all,
    start_folder,
    unknown_variables,
)
from kalelite.cli.terminal import Terminal
from kalelite.errors import UsageError

if TYPE_CHECKING:
    from kalelite.cli.script import Script

__all__ = ["perform"]


def perform(request: Request, words: Sequence[str]) -> int:
    """Do what was asked; the exit code."""
    try:
        os.getcwd()  # noqa: PTH109 - only whether it raises
    except FileNotFoundError:
        from kalelite.backends.local.prepare import require_folder

        require_folder()
    config = find_config(start_folder(request.script))
    settings = resolve_all(request.flags, os.environ, config)
    err = Terminal(sys.stderr)
    for note in (*config.notes, *unknown_variables(os.environ)):
        err.line(note)
    if request.verb == "config":
        from kalelite.cli.verbs import show_config

        return show_config(Terminal(sys.stdout), settings)
    with _streams(as_json=settings["output"].value == "json") as out:
        if request.verb == "run":
            code = _run(request, settings, out, err, words)
        else:
            code = _verb(request, settings, out)
    if out.error is not None:
        raise UsageError(f"the output cannot be written: {out.error.strerror}")
    return code


def _verb(request: Request, settings: dict[str, Value], out: Terminal) -> int:
    as_json = settings["output"].value == "json"
    if request.verb == "formats":
        from kalelite.cli.verbs import show_formats

        return show_formats(out, load=bool(request.options.get("load")), as_json=as_json)
    from kalelite.cli import history

    home = settings["home"].value
    perform = getattr(history, f"verb_{request.verb}")
    code: int = perform(out, Path(home) if home else None, request.options, as_json=as_json)
    return code


def _run(
    request: Request, settings: dict[str, Value], out: Terminal, err: Terminal, words: Sequence[str]
) -> int:
    from kalelite.cli.script import read_script

    if not request.script:
        raise UsageError(
            "no script was given", hint="kalelite SCRIPT runs one; kalelite --help tells more."
        )
    options = request.options
    script = read_script(request.script)
    looks = bool(options.get("check") or options.get("graph"))
    local = not looks and not options.get("kfp") and not options.get("compile")
    if local and not options.get("debug") and settings["start"].value != "spawn":
        _prewarm(script)
    from kalelite.cli.run import Face, run_script

    face = Face(request, script, settings, out, err, sys.argv[0], tuple(words))
    if looks:
        from kalelite.cli import look

        return look.check_script(face) if options.get("check") else look.draw_script(face)
    if local:
        from kalelite.cli.local import Local

        return run_script(face, Local(face))
    from kalelite.cli.kubeflow import Kubeflow

    return run_script(face, Kubeflow(face))


def _prewarm(script: Script) -> None:
    """Let the fork server import what the script imports, while this process gets ready."""
    from kalelite.backends.local.pool.prewarm import prewarm
    from kalelite.cli.script import import_path

    prewarm(script.text, import_path(script))


@contextmanager
def _streams(*, as_json: bool) -> Iterator[Terminal]:
    """The terminal to write to. For JSON it alone has the standard output.

    What the user's script prints goes to the standard error then, also what its libraries
    write past Python.
    """
    if not as_json:
        yield Terminal(sys.stdout)
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
        yield Terminal(stream)
    finally:
        sys.stdout = before
        if own:
            os.dup2(stream.fileno(), 1)
            with suppress(BrokenPipeError):
                stream.close()
