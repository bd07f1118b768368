"""Every conformance program, each of its containers in a pod: as in a run on this machine."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from conformance_programs import PROGRAMS
from in_pods import run_in_pods
from lab import IMAGE
from test_conformance import hold, journal_of

from kalelite.authoring.backends import open_backend
from kalelite.runs.pipeline_run import Run

pytest.importorskip("kfp", reason="needs kfp: pip install 'kalelite[kfp]'")

if sys.version_info[:2] != (3, 11):
    pytest.skip("the pods' Python is 3.11, and steps run on that of who compiled them",
                allow_module_level=True)  # fmt: skip

NAMES = sorted(path.stem for path in PROGRAMS.glob("*.py"))
FROM_OUTSIDE = {"chain", "exit_handler_failure", "loop_over_result", "registered"}
"""Programs whose claim and code are brought by a task of the run, as for a laptop's submitter."""
pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize("name", NAMES)
def test_a_program(name, given, runs, tmp_path, monkeypatch):
    path = PROGRAMS / f"{name}.py"
    program, plan, arguments, journal = given(path, "pods")
    outside = name not in FROM_OUTSIDE
    ran = run_in_pods(plan, arguments, runs, tmp_path, outside=outside, folders=[journal])
    hold(program, ran.seen, journal_of(journal))

    _, plan, arguments, journal = given(path, "here")
    monkeypatch.chdir(journal)
    open_backend("local", home=tmp_path / "home").run(plan, arguments)
    assert printed(ran.folder) == printed(Run.open(folder=tmp_path / "home").folder)


@pytest.mark.parametrize("outside", [True, False], ids=["config-map", "code-in-an-artifact"])
@pytest.mark.parametrize(
    "name", ["exit_handler_failure", "files", "nested_branches", "nested_loops"]
)
def test_a_program_without_a_volume(name, outside, given, runs, tmp_path):
    program, plan, arguments, journal = given(PROGRAMS / f"{name}.py", "pods")
    settings = {"marshal": "artifacts", "marshal_volume_size": None, "outside": outside}
    ran = run_in_pods(plan, arguments, runs, tmp_path, folders=[journal], **settings)
    hold(program, ran.seen, journal_of(journal))


@pytest.mark.parametrize("name", ["container", "container_files"])
def test_containers_of_the_users_own(name, given, runs, tmp_path):
    path = PROGRAMS.parent / "compiled_only" / f"{name}.py"
    program, plan, arguments, journal = given(path, "pods")
    images = {"busybox:1.36": IMAGE}
    ran = run_in_pods(plan, arguments, runs, tmp_path, folders=[journal], images=images)
    hold(program, ran.seen, [])


def printed(run: Path) -> dict[str, list[str]]:
    """What each instance has printed, by its name; kalelite's own remarks about KFP are left out."""
    found = {}
    for path in run.glob("tasks/*/log.txt"):
        lines = path.read_text().splitlines()
        found[path.parent.name] = [line for line in lines if not line.startswith("kalelite: ")]
    return {name: lines for name, lines in found.items() if lines}


def test_steps_of_another_user_write_to_a_new_volume(given, runs, tmp_path):
    """As in a notebook of Kubeflow, which runs as 1000: 100."""
    program, plan, arguments, journal = given(PROGRAMS / "chain.py", "pods")
    user = {"run_as_user": 1000, "run_as_group": 100}
    ran = run_in_pods(plan, arguments, runs, tmp_path, folders=[journal], **user)
    hold(program, ran.seen, journal_of(journal))


def test_a_claim_without_the_room_is_told_before_any_step(given, runs, tmp_path):
    runs.claim("small")
    _, plan, arguments, journal = given(PROGRAMS / "chain.py", "pods")
    more = {"marshal_volume": "small", "marshal_volume_size": "900Ti"}
    ran = run_in_pods(plan, arguments, runs, tmp_path, folders=[journal], **more)

    assert ran.seen.state == "failed"
    assert "less than the 989,560,464,998,400 of marshal_volume_size" in ran.seen.log
    assert journal_of(journal) == []
