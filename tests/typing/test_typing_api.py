"""Type checkers see decorated functions as what they are."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

API = Path(__file__).with_name("api.py")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_mypy_passes_the_public_types(tmp_path):
    if importlib.util.find_spec("mypy") is None:
        pytest.skip("mypy is absent: pip install mypy")
    cache = tmp_path / "cache"
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", f"--cache-dir={cache}", API],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_pyright_passes_the_public_types():
    pyright = shutil.which("pyright")
    if pyright is None:
        pytest.skip("pyright is absent: pip install pyright (it fetches Node.js on its first run)")
    done = subprocess.run([pyright, str(API)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
