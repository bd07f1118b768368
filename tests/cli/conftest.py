"""The command, as a program and in this process."""

from __future__ import annotations

import os
import subprocess

import pytest
from face_shell import Shell

from kalelite.cli import main


@pytest.fixture(autouse=True)
def _clock(utc):
    """Times are shown as they are in UTC."""


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
