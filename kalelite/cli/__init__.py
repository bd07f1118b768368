"""The command line. What a person types comes in here, and leaves as an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TextIO

from kalelite.errors import ExitCode, KaleliteError

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the command line says.

    Parameters
    ----------
    argv
        The words after the command's name; those of this process if left out.

    Returns
    -------
    int
        The exit code: see `kalelite.errors.ExitCode`.
    """
    from kalelite.cli.terminal import Terminal

    words = list(sys.argv[1:] if argv is None else argv)
    _open_streams()
    err = Terminal(sys.stderr)
    try:
        code = _dispatch(words)
    except KeyboardInterrupt:
        err.line("interrupted")
        code = ExitCode.INTERRUPTED
    except SystemExit as stop:  # argparse, after --help
        code = stop.code if isinstance(stop.code, int) else 0
    except BrokenPipeError:
        code = ExitCode.OK
    except BaseException as error:  # noqa: BLE001 - the last place that can tell the user in words
        try:
            code = _complain(error, err)
        except Exception:  # noqa: BLE001 - the script has left too little of Python for screens
            err.line(f"internal error: {type(error).__name__}: {error}")
            code = ExitCode.STEP_FAILED
    _flush()
    return int(code)


def _dispatch(words: Sequence[str]) -> int:
    from kalelite.cli.parser import parse, print_help

    if not words:
        print_help()
        return ExitCode.USAGE
    request = parse(words)
    if request.options.get("version"):
        import kalelite

        sys.stdout.write(f"kalelite {kalelite.__version__}\n")
        return ExitCode.OK
    from kalelite.cli.command import perform

    return perform(request, words)


def _complain(error: BaseException, err: object) -> int:
    from kalelite.cli.screens import error_screen, internal_screen
    from kalelite.cli.terminal import Terminal

    assert isinstance(err, Terminal)
    if isinstance(error, KaleliteError):
        err.line(error_screen(error, err))
        return error.exit_code
    screen = getattr(error, "screen", None)
    if screen is not None:  # the user's script failed
        err.line(screen)
        return ExitCode.SCRIPT
    debug = os.environ.get("KALELITE_DEBUG", "") not in {"", "0"}
    err.line(internal_screen(error, err, full=debug))
    return ExitCode.STEP_FAILED


def _open_streams() -> None:
    """Open what was closed when this process began, or the next file has its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            nowhere = open(os.devnull, mode)  # noqa: SIM115, PTH123 - for ever
            os.set_inheritable(nowhere.fileno(), True)
            setattr(sys, name, nowhere)


def _flush() -> None:
    """Write out what is left; a reader that has gone (``| head``) is no reason to complain."""
    for stream in (sys.stdout, sys.stderr):
        if not _flushed(stream):
            # Python flushes once more at its end, and would print about it.
            with suppress(Exception), open(os.devnull, "w") as nowhere:  # noqa: PTH123
                os.dup2(nowhere.fileno(), stream.fileno())


def _flushed(stream: TextIO | None) -> bool:
    try:
        if stream is not None:
            stream.flush()
    except Exception:  # noqa: BLE001 - a script may have put anything there
        return False
    return True
