"""Every program's plan is the one that was looked at.

``KALELITE_REGENERATE=1`` writes the goldens anew; read what has changed in them.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from conformance_programs import PROGRAMS, load
from plan_text import plan_text

HERE = Path(__file__).parent
GOLDENS = HERE / "goldens"
FOLDERS = (PROGRAMS, HERE / "compiled_only", HERE / "examples")
ALL = [path for folder in FOLDERS for path in sorted(folder.glob("*.py"))]


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_the_plan_is_the_one_that_was_looked_at(path):
    text = plan_text(load(path).main.plan())
    golden = GOLDENS / f"{path.stem}.txt"
    if os.environ.get("KALELITE_REGENERATE"):
        golden.write_text(text, encoding="utf-8")

    assert text == golden.read_text(encoding="utf-8")


def test_there_is_no_golden_without_a_program():
    assert {path.stem for path in GOLDENS.iterdir()} == {path.stem for path in ALL}
