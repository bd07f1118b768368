"""The command line. What a person types comes in here, and leaves as an exit code."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from kalelite.errors import ExitCode, KaleliteError

if TYPE_CHECKING:
    from kalelite.display.screen import Screen


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the command line asks for; the exit code, as of `kalelite.errors.ExitCode`.

    ``argv`` is what follows the command's name; that of this process if left out.
    """
    from kalelite.display.screen import Screen

    words = list(sys.argv[1:] if argv is None else argv)
    gc.disable()  # a tenth of a start: what is imported is no garbage; a script enables it again
    _open_streams()
    err = Screen(sys.stderr)
    try:
        code = _dispatch(words)
    except KeyboardInterrupt as interrupt:
        err.line("interrupted")
        for note in getattr(interrupt, "__notes__", ()):
            err.line(note, fit="keep")  # there are commands in it
        code = ExitCode.INTERRUPTED
    except SystemExit as stop:  # argparse, after --help
        code = stop.code if isinstance(stop.code, int) else 0
    except BrokenPipeError:
        code = ExitCode.OK
    except BaseException as error:
        code = _explain(error, err)
    gc.enable()
    _flush()
    return int(code)


def _dispatch(words: Sequence[str]) -> int:
    from kalelite.cli.parser import parse, run_help

    if not words:
        sys.stdout.write(run_help())
        return ExitCode.USAGE
    request = parse(words)
    from kalelite.cli.perform import perform

    return perform(request, words)


def _explain(error: BaseException, err: Screen) -> int:
    from kalelite.display.error_view import ScriptRaisedError, error_lines, internal_lines

    if isinstance(error, KaleliteError):
        err.lines(error_lines(error, err.width))
        return error.exit_code
    if isinstance(error, ScriptRaisedError):
        err.lines(error.lines)
        return ExitCode.SCRIPT
    full = os.environ.get("KALELITE_DEBUG", "") not in {"", "0"}
    err.lines(internal_lines(error, full=full))
    return ExitCode.STEP_FAILED


def _open_streams() -> None:
    """Open what was closed when this process began, or the next file has its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            nowhere = open(os.devnull, mode)
            os.set_inheritable(nowhere.fileno(), True)
            setattr(sys, name, nowhere)


def _flush() -> None:
    """Write out what is left; a reader that has gone (``| head``) is no reason to complain."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            # Python flushes once more at its end, and would print about it.
            with suppress(OSError, ValueError), open(os.devnull, "w") as nowhere:
                os.dup2(nowhere.fileno(), stream.fileno())
