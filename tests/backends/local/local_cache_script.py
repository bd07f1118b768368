"""A script that is run, changed and run again."""

from __future__ import annotations

import dataclasses
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from kalelite.backends.local.local_settings import LocalSettings
from kalelite.backends.local.run import run_plan
from kalelite.runs.pipeline_run import Run


@dataclass
class Seen:
    """A run: what it gave, which tasks ran, which were taken from earlier runs."""

    id: str
    state: str
    value: Any
    ran: list[str]
    cached: list[str]
    folder: Run


class Script:
    """A script at a path; every run of it begins with its text, as a new process would."""

    def __init__(self, path: Path, home: Path, text: str) -> None:
        self.path = path
        self.home = home
        self.path.write_text(text)

    def change(self, old: str, new: str) -> Script:
        """Change the text."""
        text = self.path.read_text()
        assert old in text
        self.path.write_text(text.replace(old, new))
        return self

    def run(
        self, settings: LocalSettings | None = None, listener: Any = None, **parameters: Any
    ) -> Seen:
        """Run its pipeline."""
        module = ModuleType("__main__")
        module.__file__ = str(self.path)
        before = sys.modules["__main__"]
        sys.modules["__main__"] = module
        try:
            exec(compile(self.path.read_text(), str(self.path), "exec"), module.__dict__)
            plan = module.main.plan()
            arguments = {one.name: parameters.get(one.name, one.default) for one in plan.parameters}
            settings = dataclasses.replace(settings or LocalSettings(), home=self.home)
            result = run_plan(plan, arguments, settings=settings, reporter=listener)
            value = result.value if result.state == "succeeded" else None
        finally:
            sys.modules["__main__"] = before
        run = Run.open(result.run, folder=self.home)
        return Seen(
            result.run,
            result.state,
            value,
            [name for name, task in run.tasks.items() if task.status == "succeeded"],
            [name for name, task in run.tasks.items() if task.status == "cached"],
            run,
        )
