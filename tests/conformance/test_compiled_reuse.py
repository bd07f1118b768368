"""Results of earlier runs, taken by the pods themselves from a volume that stays."""

from __future__ import annotations

import itertools
import re
import sys

import pytest
from conformance_programs import load
from harness import Harness

from kalelite.authoring.backends import open_backend

pytest.importorskip("kfp", reason="needs kfp: pip install 'kalelite[kfp]'")

SCRIPT = """
from pathlib import Path
from kalelite import Collected, ParallelFor, log_artifact, log_metric, pipeline, step

class Point:
    def __init__(self, x): self.x = x

@step
def make(n: int) -> list:
    print("runs make")
    return list(range(n))

@step
def move(i):
    print("runs move", i)
    log_metric("i", i)
    Path("note.txt").write_text(str(i))
    log_artifact(Path("note.txt"), "note")
    return Point(i + 1)

@step
def total(points, given=Path(GIVEN)):
    print("runs total")
    if MAKE_FAIL:
        raise ValueError("not this time")
    return sum(p.x for p in points) + len(given.read_text())

@pipeline
def main(n: int = 3):
    with ParallelFor(make(n)) as i:
        point = move(i)
    total(Collected(point))
"""


@pytest.fixture
def run(tmp_path, kubernetes, bare_python, monkeypatch):
    """Run the script, as edited, on a claim; what its steps printed that ran, and the outcome."""
    kubernetes.claim("kept")
    given = tmp_path / "given.txt"
    given.write_text("four")
    counter = itertools.count()

    def run(edit=("", ""), fails=False, **settings):
        name = f"reuse_{next(counter)}"
        path = tmp_path / f"{name}.py"
        text = SCRIPT.replace("GIVEN", repr(str(given))).replace("MAKE_FAIL", str(fails))
        path.write_text(text.replace(*edit))
        module = load(path)
        monkeypatch.setitem(sys.modules, "__main__", module)
        settings = {"marshal_volume": "kept", "cache": True, **settings}
        settings["marshal_path"] = str(tmp_path / "mounts" / "marshal")
        out = tmp_path / f"{name}.yaml"
        open_backend("kubeflow", run=name, **settings).compile(module.main.plan(), out, {})
        outcome = Harness(out, kubernetes, bare_python).run()
        return sorted(re.findall(r"^runs (.*)$", outcome.log(), re.MULTILINE)), outcome

    run.given = given
    return run


ALL = ["make", "move 0", "move 1", "move 2", "total"]
EDIT = ("return Point(i + 1)", "return Point(i + 2)")


def taken_in(outcome) -> list[str]:
    return sorted(re.findall(r"^kalelite: (\S+) was taken from run \S+$", outcome.log(), re.M))


def test_what_is_unchanged_is_taken(run):
    ran, outcome = run()
    assert ran == ALL, outcome.log()
    ran, outcome = run()
    assert taken_in(outcome) == ["make", "move[0]", "move[1]", "move[2]", "total"], outcome.log()
    assert outcome.state == "succeeded"


def test_what_is_edited_runs_and_all_that_takes_its_values(run):
    run()
    _, outcome = run(EDIT)
    assert taken_in(outcome) == ["make"], outcome.log()


def test_files_count_by_what_they_hold_in_the_pod(run):
    run()
    run.given.write_text("other")
    _, outcome = run()
    assert "total" not in taken_in(outcome), outcome.log()


def test_steps_are_refreshed_and_caches_left_alone(run):
    run()
    _, outcome = run(refresh=("move",))
    assert taken_in(outcome) == ["make", "total"], "its values are the same as before"
    _, outcome = run(cache=False)
    assert taken_in(outcome) == []
    _, outcome = run(cache=None)
    assert taken_in(outcome) == [], "no step asks for it"


def test_a_run_goes_on_from_a_failed_one_without_any_cache(run):
    _, outcome = run(cache=None, fails=True)
    assert outcome.state == "failed"
    _, outcome = run(cache=None, fails=True, earlier=("reuse_0",))
    assert outcome.state == "failed"
    assert taken_in(outcome) == ["make", "move[0]", "move[1]", "move[2]"]
    ran, outcome = run(cache=None, earlier=("reuse_1", "reuse_0"))
    assert outcome.state == "succeeded", outcome.log()
    assert taken_in(outcome) == ["make", "move[0]", "move[1]", "move[2]"]
    assert "taken from run reuse_0" in outcome.log(), "where it was computed"


def test_a_run_starts_after_a_step_of_another_whatever_was_edited(run):
    run(cache=None)
    given = {"given": frozenset({"make", "move"}), "given_by": ("reuse_0",)}
    ran, outcome = run(EDIT, cache=None, **given)
    assert outcome.state == "succeeded", outcome.log()
    assert taken_in(outcome) == ["make", "move[0]", "move[1]", "move[2]"]
    _, outcome = run(EDIT, cache=None, earlier=("reuse_0",))
    assert taken_in(outcome) == ["make"], "only where it was asked for"


def test_records_of_what_was_taken_are_whole(run, kubernetes):
    run()
    run()
    tasks = kubernetes.claims / "kept" / ".kalelite" / "runs" / "reuse_1" / "tasks"
    assert '"cached":"reuse_0"' in (tasks / "move[1]" / "record.json").read_text()
    (artifact,) = (tasks / "move[1]" / "artifacts").iterdir()
    assert artifact.read_text() == "1"
    assert '"cached"' in (tasks / "move[1]" / "events.jsonl").read_text()
    assert "runs move 1" in (tasks / "move[1]" / "log.txt").read_text()
