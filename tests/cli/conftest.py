"""Golden screens, and a clock that shows the same time everywhere."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest
from face_shell import Shell

from kalelite.cli import main

GOLDENS = Path(__file__).parent / "goldens"


@pytest.fixture(autouse=True)
def utc(monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def golden():
    """Compare a whole screen with the file of that name; KALELITE_REGENERATE=1 writes it."""

    def compare(name, text):
        path = GOLDENS / name
        if os.environ.get("KALELITE_REGENERATE"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, "utf-8")
        assert text == path.read_text("utf-8")

    return compare


@pytest.fixture
def shell(tmp_path):
    """The command, in a folder of its own."""
    return Shell(tmp_path)


@pytest.fixture
def face(tmp_path, monkeypatch, capfd):
    """The command in this process and a folder of its own: for verbs that run no script."""
    (tmp_path / ".kalelite").mkdir()
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("KALELITE_")]:
        monkeypatch.delenv(name)

    def call(*words):
        capfd.readouterr()
        code = main([str(word) for word in words])
        return subprocess.CompletedProcess(words, code, *capfd.readouterr())

    return call
