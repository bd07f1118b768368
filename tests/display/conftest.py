"""Golden screens."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

GOLDENS = Path(__file__).parent / "goldens"


@pytest.fixture(autouse=True)
def _clock(utc):
    """Times are shown as they are in UTC."""


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
