"""From a request to what is done: settings, streams, and the command itself."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

from kalelite.cli.parser import Request
from kalelite.cli.settings import (
    Value,
    find_config,
    resolve_all,
    settings_for,
    start_folder,
    unknown_variables,
)
from kalelite.cli.terminal import Terminal
from kalelite.errors import UsageError

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
    from kalelite.authoring.backends import open_backend
    from kalelite.cli.script import import_path, read_script

    if not request.script:
        raise UsageError(
            "no script was given", hint="kalelite SCRIPT runs one; kalelite --help tells more."
        )
    options = request.options
    script = read_script(request.script)
    name = "kubeflow" if options.get("kfp") or options.get("compile") else "local"
    extra: dict[str, Any] = {"debug": True} if options.get("debug") else {}
    if options.get("no_cache"):
        extra["cache"] = False
    backend = open_backend(name, **settings_for(name, settings), **extra)
    looks = bool(options.get("check") or options.get("graph"))
    if not looks:
        backend.prepare(script.text, import_path(script))
    from kalelite.cli.script_run import Face, run_script

    face = Face(request, script, settings, out, err, backend, sys.argv[0], tuple(words))
    if looks:
        from kalelite.cli import inspect_script

        return (
            inspect_script.check_script(face)
            if options.get("check")
            else inspect_script.draw_script(face)
        )
    return run_script(face)


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
