"""A sweep on the screen: a table of its trials on a terminal, else a line for each."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from kalelite.display.run_progress import status_of
from kalelite.display.screen import Line, Screen
from kalelite.humanize import clock, count, duration, one_line
from kalelite.sweep.space import text_of

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

    from kalelite.sweep.sweep_record import Sweep, Trial


class SweepView(Protocol):
    """Shows a sweep while it goes on."""

    def changed(self, sweep: Sweep, trial: Trial, steps: str = "") -> None:
        """A trial has begun, goes on or has ended; ``steps`` is how far it has come."""

    def close(self) -> None:
        """Give the terminal back."""


_SHORTEST = 0.1
"""Seconds between two drawings of the table, at least."""


class SweepLines:
    """Prints a line whenever a trial begins or ends."""

    def __init__(self, out: Screen) -> None:
        self._out = out
        self._known: dict[int, str] = {}

    def changed(self, sweep: Sweep, trial: Trial, steps: str = "") -> None:
        """Print the trial, if its state is another one."""
        del steps
        state = trial.state if trial.state != "running" or trial.run else ""
        if state and self._known.get(trial.number) != state:
            self._known[trial.number] = state
            pieces = [piece for cell in _cells(sweep, trial) for piece in (cell, "  ")][:-1]
            self._out.line((clock(time.time()), "dim"), "  trial ", *pieces, fit="keep")

    def close(self) -> None:
        """Nothing is to be given back."""


class SweepJson:
    """Writes a trial as an object whenever it has changed."""

    def __init__(self, write: Any) -> None:
        self._write = write

    def changed(self, sweep: Sweep, trial: Trial, steps: str = "") -> None:
        """Write the trial."""
        if not steps:
            self._write({"event": "trial", "sweep": sweep.id, **as_json(trial)})

    def close(self) -> None:
        """Nothing is to be given back."""


class SweepTable:
    """Draws the table of the trials, the newest last, and the best one below it."""

    def __init__(self, out: Screen) -> None:
        from rich.live import Live

        self._out = out
        self._steps: dict[int, str] = {}
        self._next = 0.0
        self._last: Sweep | None = None
        self._live: Live | None = Live(console=out.console, auto_refresh=False, transient=True)
        self._live.start()

    def changed(self, sweep: Sweep, trial: Trial, steps: str = "") -> None:
        """Draw it again, unless that was a moment ago."""
        self._steps[trial.number] = steps
        self._last = sweep
        if self._live is not None and (not steps or time.monotonic() >= self._next):
            height = max(self._out.console.height - 5, 1)
            self._live.update(self._picture(sweep, height), refresh=True)
            self._next = time.monotonic() + _SHORTEST

    def close(self) -> None:
        """Give the terminal back, with the table as it was last."""
        live, self._live = self._live, None
        if live is not None:
            live.stop()

    def _picture(self, sweep: Sweep, height: int) -> RenderableType:
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        rows = Table.grid(padding=(0, 2, 0, 0))
        for trial in sweep.trials[-height:]:
            cells = [*_cells(sweep, trial), (self._steps.get(trial.number, ""), "dim")]
            rows.add_row(*(Text.assemble(cell) for cell in cells))
        title = Text(f"sweep {sweep.id}", style="bold", no_wrap=True)
        title.append(f"  {len(sweep.done)} of {count(sweep.number, 'trial')} done", style="dim")
        best = sweep.best()
        parts: list[RenderableType] = [title, rows]
        if best is not None:
            parts.append(Text(f"best: {_named(best.point)}  {_value(sweep, best)}", style="green"))
        return Group(*parts)


def _cells(sweep: Sweep, trial: Trial) -> Line:
    """A trial in one row."""
    status = status_of(trial.state)
    number = f"{trial.number}/{sweep.number}"
    took = duration(trial.seconds) if trial.seconds else ""
    note = _value(sweep, trial) if not trial.problem else one_line(trial.problem, 100)
    return (
        f"{number:>7}",
        (f"{status.symbol} {trial.state:<9}", status.color),
        _named(trial.point),
        note,
        (took, "dim"),
    )


def _named(point: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={_short(value)}" for name, value in point.items())


def _short(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else one_line(text_of(value), 40)


def _value(sweep: Sweep, trial: Trial) -> str:
    return "" if trial.value is None else f"{sweep.objective} {trial.value:.6g}"


def as_json(trial: Trial) -> dict[str, Any]:
    """A trial as an object."""
    return {
        "trial": trial.number,
        "parameters": dict(trial.point),
        "state": trial.state,
        "run": trial.run,
        "value": trial.value,
        "problem": trial.problem,
        "seconds": trial.seconds,
    }


def print_sweep(sweep: Sweep, out: Screen, *, page: str, again: str) -> None:
    """Sum up a sweep: its trials, the best of them, the page, and how to go on."""
    names = list(sweep.space)
    rows: list[Line] = []
    best = sweep.best()
    for trial in sweep.trials:
        status = status_of(trial.state)
        mark = " ← best" if trial is best else ""
        values = [_short(trial.point[name]) for name in names]
        shown = "" if trial.value is None else f"{trial.value:.6g}"
        rows.append(
            (
                str(trial.number),
                *values,
                (f"{status.symbol} {trial.state}", status.color),
                duration(trial.seconds) if trial.seconds else "",
                trial.run,
                f"{shown}{mark}" if not trial.problem else one_line(trial.problem, 80),
            )
        )
    out.line()
    out.table(rows, ("trial", *names, "state", "took", "run", sweep.objective))
    out.line()
    done = f"{len(sweep.done)} of {count(sweep.number, 'trial')} succeeded"
    out.line((f"sweep {sweep.id}", "bold"), f": {done}")
    if best is not None:
        flags = " ".join(f"-p {name}={text_of(value)}" for name, value in best.point.items())
        out.line(
            ("  best  ", "dim"), f"{_value(sweep, best)} with {flags}, run {best.run}", fit="keep"
        )
    out.line(("  page  ", "dim"), page, fit="keep")
    if len(sweep.done) < sweep.number:
        out.line(("  next  ", "dim"), again, fit="keep")
