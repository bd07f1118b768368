"""Every conformance program, each of its containers in a pod: as in a run on this machine."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from conformance_programs import PROGRAMS, arguments_of, load
from in_pods import run_in_pods
from lab import IMAGE
from test_conformance import hold, journal_of
from test_examples import EXAMPLES, NEEDS, hold_records

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


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example(path, given, runs, tmp_path, request):
    image = request.getfixturevalue("science_image") if path.stem in NEEDS else IMAGE
    if path.stem == "settings":  # what its options name
        runs.claim("claim")
        runs.kit("kubectl", "label", "node", "--all", "--overwrite", "disk=ssd")
    program, plan, arguments, journal = given(path, "pods")
    ran = run_in_pods(plan, arguments, runs, tmp_path, image=image, folders=[journal])

    assert ran.seen.state == getattr(program, "STATE", "succeeded"), ran.seen.log
    if hasattr(program, "EXPECTED"):
        assert ran.seen.value == program.EXPECTED
    hold_records(program, ran)
    for name, value in getattr(program, "METRICS", {}).items():
        task, _, metric = name.rpartition(".")
        found = [one["value"] for one in ran.records[task].metrics if one["name"] == metric]
        assert found[-1] == pytest.approx(value)
    for name, kind in getattr(program, "ARTIFACTS", {}).items():
        task, _, title = name.rpartition(".")
        (found,) = [one for one in ran.records[task].artifacts if one["name"] == title]
        assert found["kind"] == kind
    if hasattr(program, "JOURNAL"):
        assert journal_of(journal) == program.JOURNAL


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
