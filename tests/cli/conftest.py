"""Golden screens, and a clock that shows the same time everywhere."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from face_shell import Shell

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
