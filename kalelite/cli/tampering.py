"""What the user's script has changed in Python itself, and so under our feet."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from kalelite.cli.screens import is_ours, library_roots
from kalelite.cli.script import Script, ScriptFailed
from kalelite.errors import KaleliteError, ScriptError, Where

__all__ = ["blamed", "with_path"]

_Modules = dict[str, dict[str, Any]]
_ABSENT = object()


def with_path(entries: Sequence[str]) -> None:
    """Let imports find what they found before: put back what the script took off ``sys.path``."""
    now = sys.path if isinstance(sys.path, list) else []
    sys.path = [*now, *(entry for entry in entries if entry not in now)]


@contextmanager
def blamed(script: Script) -> Iterator[None]:
    """Tell a fault of ours from one that comes of a change the script made in a standard module.

    Raises
    ------
    ScriptError
        In the place of such a fault.
    """
    library_roots()  # while they can be found
    before = _snapshot()
    try:
        yield
    except (KaleliteError, ScriptFailed):
        raise
    except Exception as error:
        changed = _changed(before, _names_in(error.__traceback__)) if is_ours(error) else ""
        if not changed:
            raise
        raise ScriptError(
            f"{script.name} changes {changed}, which kalelite needs as Python has it"
            f" ({type(error).__name__}: {error})",
            hint="Change it inside the step that wants it so, or put it back before the pipeline runs.",
            where=_line_of(changed, script),
        ) from error


def _snapshot() -> _Modules:
    """What is in the modules of Python that are loaded."""
    own = sys.stdlib_module_names
    return {
        name: dict(vars(module))
        for name, module in list(sys.modules.items())
        if name.partition(".")[0] in own and hasattr(module, "__dict__")
    }


def _names_in(trace: TracebackType | None) -> set[str]:
    """The names that the code used in which an exception was raised."""
    names: set[str] = set()
    while trace is not None:
        names = set(trace.tb_frame.f_code.co_names)
        trace = trace.tb_next
    return names


def _changed(before: _Modules, names: set[str]) -> str:
    """The first of the names, as ``module.name``, that is no longer the function it was."""
    for module, space in before.items():
        now = getattr(sys.modules.get(module), "__dict__", {})
        for name in sorted(names & space.keys()):
            # What is no function, a module may well have changed itself.
            if callable(space[name]) and now.get(name, _ABSENT) is not space[name]:
                return f"{module}.{name}"
    return ""


def _line_of(changed: str, script: Script) -> Where | None:
    """Where the script says so, if it says it in so many words."""
    found = re.search(
        rf"^[ \t]*(?P<name>{re.escape(changed)})[ \t]*=(?!=)", script.text, re.MULTILINE
    )
    if found is None:
        return None
    line = script.text.count("\n", 0, found.start("name"))
    text = script.text.splitlines()[line]
    column = text.index(changed)
    return Where(script.path, line + 1, column, column + len(changed), text)
