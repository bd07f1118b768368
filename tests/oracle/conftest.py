"""What the steps of compiled programs run in."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def images(tmp_path_factory) -> dict[bool, Path]:
    """The Python of the steps: a bare one, and one with the packages of this environment."""
    found = {}
    for packages in (False, True):
        folder = tmp_path_factory.mktemp("image")
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
        if packages:
            (site,) = folder.glob("lib/python*/site-packages")
            (site / "packages.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
        found[packages] = folder / "bin"
    return found
