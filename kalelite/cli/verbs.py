"""The verbs that need neither a run nor a script: ``formats`` and ``config``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kalelite.cli.json_output import JsonReporter
from kalelite.cli.settings import SETTINGS, Value
from kalelite.cli.terminal import Terminal
from kalelite.errors import ExitCode

__all__ = ["columns", "show_config", "show_formats"]


def columns(rows: Sequence[Sequence[str]], gap: int = 2) -> list[str]:
    """Rows of text as lines with aligned columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        (" " * gap)
        .join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        .rstrip()
        for row in rows
    ]


def show_config(out: Terminal, settings: Mapping[str, Value]) -> int:
    """``kalelite config``: every setting, its value, and who said it."""
    if settings["output"].value == "json":
        for value in settings.values():
            JsonReporter(out).write(
                {"setting": value.name, "value": value.value, "origin": value.origin}
            )
        return ExitCode.OK
    words = {setting.name: setting.help for setting in SETTINGS}
    rows = [("setting", "value", "from", "meaning")]
    for value in settings.values():
        shown = "-" if value.value is None else str(value.value)
        rows.append((value.name, shown, value.origin, words[value.name]))
    head, *rest = columns(rows)
    out.line(out.paint(head, "dim"))
    for line in rest:
        out.line(line)
    return ExitCode.OK


def show_formats(out: Terminal, *, load: bool, as_json: bool) -> int:
    """``kalelite formats``: which formats are active, waiting or broken.

    With `load`, the installed libraries are imported first, so that broken ones show.
    """
    import importlib
    import importlib.util
    from contextlib import suppress

    from kalelite.marshal import formats_status

    installed = {}
    for status in formats_status():
        with suppress(ImportError, ValueError):
            installed[status.root] = importlib.util.find_spec(status.root) is not None
        if load and installed.get(status.root):
            with suppress(Exception):  # a library may do anything; its format says it is broken
                importlib.import_module(status.root)
    states = {"active": "green", "waiting": "dim", "absent": "dim", "broken": "red"}
    if as_json:
        for status in formats_status():
            JsonReporter(out).write({"format": status})
        return ExitCode.OK
    rows = []
    colors = []
    for status in formats_status():
        words = ", ".join(status.encodings) or "inside pickles"
        state = status.state
        if state == "waiting" and not installed.get(status.root, True):
            state, words = "absent", "the library is not installed here"
        elif state == "waiting" or status.state == "broken":
            words = status.reason
        source = "" if status.source == "kalelite" else f"(from {status.source})"
        rows.append((state, status.root, f"{words} {source}".strip()))
        colors.append(states.get(state, "bold"))
    for line, color in zip(columns(rows), colors, strict=True):
        state, space, rest = line.partition(" ")
        out.line(f"{out.paint(state, color)}{space}{rest}")
    return ExitCode.OK
