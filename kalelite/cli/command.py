"""A command that was given: its arguments, its settings, and where its text goes."""

from __future__ import annotations

import argparse
import itertools
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kalelite.display.screen import Screen
from kalelite.frozen import frozen
from kalelite.settings import (
    SETTINGS,
    Value,
    backend_settings,
    environment,
    find_files,
    flags,
    resolve,
)

if TYPE_CHECKING:
    from kalelite.authoring.backends import Backend


@frozen
class Command:
    """What a verb is given. ``words`` are the command line as it was typed, ``folder`` is where."""

    options: argparse.Namespace
    settings: Mapping[str, Value]
    out: Screen
    err: Screen
    words: Sequence[str] = ()
    script_args: tuple[str, ...] = ()
    folder: str = ""

    @property
    def home(self) -> Path | None:
        """The folder for runs and values, if it was given."""
        home = self.settings["home"].value
        return Path(home) if home else None

    @property
    def as_json(self) -> bool:
        """Whether the standard output is for programs."""
        return bool(self.settings["output"].value == "json")

    @property
    def writes_notebook(self) -> bool:
        """Whether ``-o`` names a notebook, and not a picture."""
        options = self.options
        return bool(getattr(options, "file", None)) and not getattr(options, "graph", None)

    def write_json(self, value: Mapping[str, Any]) -> None:
        """Write an object on a line of the standard output."""
        from kalelite.display.json_lines import JsonLines

        JsonLines(self.out).write(value)

    def open_backend(self, name: str, **more: Any) -> Backend:
        """A backend with the settings that were given for it."""
        from kalelite.authoring.backends import open_backend

        return open_backend(name, **backend_settings(name, self.settings), **more)

    def line(self, *words: str) -> str:
        """A command line with these words; without any, the one that was typed."""
        module = ("-m", "kalelite") in itertools.pairwise(sys.orig_argv)
        start = ["python", "-m", "kalelite"] if module else ["kalelite"]
        return shlex.join([*start, *(words or self.words)])

    def again(self, run: Path) -> list[str]:
        """The command lines that go on with a run of this one, if that can be, and begin it anew."""
        from kalelite.runs.run_again import words_after

        home = self.settings["home"]
        resume = ["resume", *(["--home", home.value] if home.origin == "--home" else [])]
        words = words_after(run, [] if self.options.debug else resume)
        return [self.line(*each) for each in words]


def settings_of(*options: argparse.Namespace) -> dict[str, Value]:
    """All settings, by the flags that were given; the first counts that has one."""
    script = next((one.script for one in options if getattr(one, "script", None)), None)
    files = find_files(_start_folder(script))
    sources = [*(flags(vars(one)) for one in options), environment(os.environ), *files]
    return {name: resolve(setting, sources) for name, setting in SETTINGS.items()}


def _start_folder(script: str | None) -> Path:
    """Where the search for a settings file begins: beside the script, else here."""
    return Path(os.path.abspath(script)).parent if script else Path.cwd()
