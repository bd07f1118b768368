"""A backend that only its line in `BACKENDS` makes known to the command."""

from __future__ import annotations

from pathlib import Path

import pytest

from kalelite.authoring.backends import BACKENDS, Backend, Section

HELLO = Path(__file__).parent / "scripts" / "hello.py"


class Own(Backend):
    name = "own"

    def __init__(self, words, called_in):
        self.rows = (("words", " ".join(words)), ("called in", called_in))

    def dry_run(self, plan, arguments):
        return [Section(plan.name, self.rows)]


@pytest.fixture(autouse=True)
def own(monkeypatch):
    monkeypatch.setitem(BACKENDS, "own", f"{__name__}:Own")


def test_it_is_given_the_command_for_its_record(face, tmp_path):
    done = face(HELLO, "--backend", "own", "--dry-run")

    assert done.returncode == 0, done.stderr
    rows = " ".join(done.stdout.split())
    assert f"words {HELLO} --backend own --dry-run called in {tmp_path}" in rows


def test_a_flag_that_it_does_not_take_is_refused(face):
    done = face(HELLO, "--backend", "own", "--dry-run", "--no-cache")

    assert done.returncode == 2
    assert "'cache' is not a setting of the backend 'own'" in done.stderr
