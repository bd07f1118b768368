"""Hand-made runs for the tests of the face."""

from __future__ import annotations

import inspect
import io

from kalelite.authoring.events import (
    Note,
    RunFinished,
    RunStarted,
    TaskFinished,
    TaskRetried,
    TaskSkipped,
    TaskStarted,
)
from kalelite.display.screen import Screen
from kalelite.executor.spec import FailureReport, Frame, Record
from kalelite.plan.graph import Output, OutputRef, Pack, Plan, StepDef, Task


class Terminal(io.StringIO):
    def isatty(self):
        return True


def screen(width=80, *, color=False):
    """A terminal of that width, or without one a pipe."""
    environ = {"COLUMNS": str(width), "TERM": "xterm"} | ({} if color else {"NO_COLOR": "1"})
    return Screen(Terminal() if width else io.StringIO(), environ)


STEP = StepDef("step", lambda: None, inspect.signature(lambda: None))


def plan(*names, result=None, name="digits"):
    tasks = [Task(id, STEP, {}, (Output("output"),)) for id in names]
    return Plan(name, tasks=tuple(tasks), result=result)


def failure(**changes):
    fields = {
        "type": "builtins.ValueError",
        "message": "Input contains NaN",
        "frames": (
            Frame("/home/me/train.py", 31, "train", "    model.fit(x, y)", 4, 19),
            Frame("/home/me/helpers.py", 8, "check", "    raise ValueError('x')", None, None),
        ),
    }
    return FailureReport(**fields | changes)


def run_of_everything(folder):
    """A run in which everything happens once."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "train.log"
    log.write_text("epoch 1\nepoch 2\rloss \x1b[31m0.3\x1b[0m\nepoch 3\n", "utf-8")
    result = Pack(tuple, (OutputRef("load", "rows"), OutputRef("train", "model")))
    names = ["load", "split", "train", "score", "report", "plot"]
    loaded = Record(
        "load",
        "succeeded",
        outputs={"rows": {"preview": "[1, 2, 3]", "type": "list", "size": 2_500_000}},
        metrics=({"name": "rows", "value": 3}, {"name": "loss", "value": 0.123456789}),
        artifacts=({"name": "table", "kind": "html", "file": "table.html"},),
    )
    at = 1_800_000_000.0
    return [
        RunStarted("run-1", plan(*names, result=result), folder, 2, at=at),
        Note("memory= has no meaning here", at=at),
        TaskStarted("split", 1, at=at + 0.05),
        TaskFinished(Record("split", "succeeded"), log, at=at + 0.1),
        TaskStarted("load", 1, at=at + 0.1),
        TaskStarted("train", 1, at=at + 0.2),
        TaskFinished(loaded, log, 300_000_000, at=at + 0.6),
        TaskRetried("train", 1, failure(message="no network"), 0.5, log, at=at + 1.0),
        TaskStarted("train", 2, at=at + 1.5),
        TaskFinished(Record("train", "failed", attempt=2, failure=failure()), log, at=at + 13.5),
        TaskSkipped("plot", "skipped", "its condition is false", at=at + 13.5),
        TaskSkipped("score", "not run", "needs train", at=at + 13.5),
        TaskSkipped("report", "not run", "needs score", at=at + 13.5),
        RunFinished("run-1", "failed", 13.6, at=at + 13.6),
    ]


def text_of(lines, width=80, *, color=False):
    """Lines as an output of that width shows them."""
    out = screen(width, color=color)
    out.lines(lines)
    return out.stream.getvalue()
