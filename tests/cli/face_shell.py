"""A shell for the tests of the command."""

from __future__ import annotations

import os
import subprocess
import sys


class Shell:
    """Runs the command in a folder of its own."""

    def __init__(self, folder):
        self.folder = folder
        (folder / ".kalelite").mkdir()  # else a folder above it may be the home
        self.environ = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("KALELITE_") and name not in {"FORCE_COLOR", "NO_COLOR"}
        }

    def __call__(self, *words, timeout=60, **environ):
        return subprocess.run(
            [sys.executable, "-m", "kalelite", *map(str, words)],
            cwd=self.folder,
            env=self.environ | environ,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text, "utf-8")
        return path
