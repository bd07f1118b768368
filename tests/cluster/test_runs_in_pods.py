"""Every conformance program, each of its containers in a pod: as in a run on this machine."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from conformance_programs import PROGRAMS, arguments_of, load
from in_pods import run_in_pods
from test_conformance import hold, journal_of

from kalelite.authoring.backends import open_backend
from kalelite.runs.reading import Run

pytest.importorskip("kfp", reason="needs kfp: pip install 'kalelite[kfp]'")

if sys.version_info[:2] != (3, 11):
    pytest.skip("the pods' Python is 3.11, and steps run on that of who compiled them",
                allow_module_level=True)  # fmt: skip

NAMES = sorted(path.stem for path in PROGRAMS.glob("*.py"))
FROM_OUTSIDE = {"chain", "exit_handler_failure", "loop_over_result", "registered"}
"""Programs whose claim and code are brought by a task of the run, as for a laptop's submitter."""
pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def given(tmp_path, monkeypatch):
    """Load a program; its plan, its arguments for a folder, and that folder."""

    def given(path: Path, kind: str):
        journal = tmp_path / kind
        journal.mkdir(mode=0o777)
        program = load(path)
        monkeypatch.setitem(sys.modules, "__main__", program)
        plan = program.main.plan()
        return program, plan, arguments_of(program, plan, journal), journal

    return given


@pytest.mark.parametrize("name", NAMES)
def test_a_program(name, given, runs, tmp_path, monkeypatch):
    path = PROGRAMS / f"{name}.py"
    program, plan, arguments, journal = given(path, "pods")
    seen, record = run_in_pods(
        plan,
        arguments,
        runs,
        tmp_path,
        outside=name not in FROM_OUTSIDE,
        folders=[journal],
    )
    hold(program, seen, journal_of(journal))

    _, plan, arguments, journal = given(path, "here")
    monkeypatch.chdir(journal)
    open_backend("local", home=tmp_path / "home").run(plan, arguments)
    assert printed(record) == printed(Run.open(folder=tmp_path / "home").folder)


def printed(run: Path) -> dict[str, list[str]]:
    """What each instance has printed, by its name; kalelite's own remarks about KFP are left out."""
    found = {}
    for path in run.glob("tasks/*/log.txt"):
        lines = path.read_text().splitlines()
        found[path.parent.name] = [line for line in lines if not line.startswith("kalelite: ")]
    return {name: lines for name, lines in found.items() if lines}
