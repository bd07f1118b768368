"""A run that goes on from an earlier one: what it takes, what it runs again and why."""

from __future__ import annotations

import textwrap

import pytest
from local_cache_script import Script

from kalelite.authoring.events import RunResumed
from kalelite.backends.local.local_settings import LocalSettings
from kalelite.errors import UsageError

SCRIPT = """
from dataclasses import dataclass
from pathlib import Path
from kalelite import Collected, Else, ExitHandler, FinalStatus, If, ParallelFor, log_artifact, pipeline, step

BROKEN = True
DATA = Path("data.csv")

@dataclass
class Model:
    weight: int
    def predict(self):
        return self.weight

@step
def load(n: int) -> list:
    print("loading")
    log_artifact("# A note", "note")
    return list(range(n))

@step
def rows() -> str:
    return DATA.read_text()

@step
def fit(x: int):
    if BROKEN and x == 1:
        raise ValueError("one")
    return Model(x * 10)

@step
def score(model) -> int:
    return model.predict()

@step
def large(total) -> str:
    return "large"

@step
def small(total) -> str:
    return "small"

@step
def add(scores) -> int:
    return sum(scores)

@step
def bye(status: FinalStatus):
    print(status.state)

@pipeline
def main(n: int = 3):
    rows()
    with ExitHandler(bye()):
        with ParallelFor(load(n)) as x:
            s = score(fit(x))
        total = add(Collected(s))
        with If(total > 1000):
            said = large(total)
        with Else():
            said = small(total)
    return total
"""


class Listener:
    def __init__(self):
        self.resumed = None

    def emit(self, event):
        if isinstance(event, RunResumed):
            self.resumed = event


@pytest.fixture
def script(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data.csv").write_text("a,b\n")
    return Script(tmp_path / "script.py", tmp_path / "home", textwrap.dedent(SCRIPT))


def mended(script):
    return script.change("BROKEN and x == 1", "BROKEN and x == 100")


def resume(script, run, **settings):
    listener = Listener()
    seen = script.run(LocalSettings(resume=run.id, **settings), listener=listener)
    return seen, listener.resumed


def test_what_is_finished_and_unchanged_is_taken_in_loops_branches_and_handlers(script):
    failed = script.run()
    assert failed.state == "failed"

    again, told = resume(mended(script), failed)

    assert (again.state, again.value) == ("succeeded", 30)
    # `score` takes objects, and the edited code of `fit` may make others of the same bytes.
    assert again.cached == ["rows", "load"]
    assert set(told.kept) == {"rows", "load"}
    assert dict(told.again)["fit[0]"] == "its own code was edited"
    assert dict(told.again)["fit[1]"] == "it failed: ValueError: one"
    assert "add" in told.after


def test_the_items_of_a_loop_that_have_succeeded_are_kept(script, tmp_path):
    script.change("if BROKEN and x == 1:", "if x == 1 and not os.path.exists('mended'):")
    script.change("from pathlib", "import os\nfrom pathlib")
    failed = script.run()
    (tmp_path / "mended").touch()

    again, told = resume(script, failed)

    assert again.ran == ["bye", "fit[1]", "score[1]", "add", "small"]
    assert told.again == (("fit[1]", "it failed: ValueError: one"),)


def test_a_run_that_changes_nothing_runs_nothing(script):
    first = mended(script).run()

    again, told = resume(script, first)

    assert (again.ran, again.value) == ([], 30)
    assert (told.again, told.after) == ((), ())


def test_what_was_taken_is_taken_again_from_where_it_was_computed(script):
    first = mended(script).run()
    second, _ = resume(script, first)
    third, _ = resume(script, second)

    assert third.ran == []
    assert third.folder.tasks["load"].record.cached == first.id
    assert third.folder.tasks["load"].log.read_text() == "loading\n"
    assert (third.folder.tasks["load"].folder / "artifacts" / "note.md").exists()


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("range(n))", "range(n + 0))", "its own code was edited"),
        ("n: int = 3", "n: int = 4", "the argument n is another value: 4, and was 3"),
        ("@step\ndef load", "@step(env={'A': '1'})\ndef load", "the variable A of its environment"),
    ],
)
def test_why_a_step_runs_again_is_told(script, old, new, why):
    first = mended(script).run()
    _, told = resume(script.change(old, new), first)

    assert dict(told.again)["load"].startswith(why)


def test_data_at_a_path_counts_by_their_content(script, tmp_path):
    first = mended(script).run()
    (tmp_path / "data.csv").write_text("c,d\n")

    again, told = resume(script, first)

    assert again.ran == ["rows"]
    assert dict(told.again)["rows"] == "the content of data.csv changed"


def test_a_class_that_a_pickle_brings_along_counts(script):
    first = mended(script).run()

    again, _ = resume(script.change("return self.weight", "return -self.weight"), first)

    assert again.value == -30


def test_a_step_that_is_to_run_anew_does(script):
    first = mended(script).run()

    again, told = resume(script, first, refresh=("load",))

    assert again.ran == ["load"]
    assert dict(told.again) == {"load": "--refresh was given"}


def test_values_are_taken_from_before_a_step_of_an_earlier_run(script):
    first = mended(script).run()
    script.change("list(range(n))", "[5]").change("x * 10", "x * 100")

    after_load = script.run(LocalSettings(start_after=(first.id, "load")))
    after_score = script.run(LocalSettings(start_after=(first.id, "score")))

    assert (after_load.cached, after_load.value) == (["load"], 300)
    assert after_score.ran == ["rows", "bye", "add", "small"]
    assert after_score.value == 30


def test_values_of_a_step_that_failed_cannot_be_taken(script):
    failed = script.run()

    with pytest.raises(UsageError, match=r"fit\[1\] has no value in run .*: failed"):
        script.run(LocalSettings(start_after=(failed.id, "score")))


@pytest.mark.parametrize("setting", [{"refresh": ("laod",)}, {"start_after": ("last", "laod")}])
def test_a_step_that_does_not_exist_is_refused(script, setting):
    mended(script).run()

    with pytest.raises(UsageError, match="has no step 'laod'"):
        script.run(LocalSettings(**setting))


def test_a_run_of_another_pipeline_is_refused(script):
    first = mended(script).run()
    script.change("@pipeline", "@pipeline(name='other')")

    with pytest.raises(UsageError, match="of the pipeline 'main', not of 'other'"):
        resume(script, first)


def test_a_debugged_run_goes_on_with_a_run_and_keeps_nothing(script):
    failed = script.run()

    again, told = resume(mended(script), failed, debug=True)
    third, told_then = resume(script, again)

    assert (again.state, set(told.kept)) == ("succeeded", {"rows", "load"})
    assert set(told_then.kept) == {"rows", "load"}, "they are the first run's"
    assert third.value == 30


def test_the_results_of_all_steps_may_be_kept_and_taken(script):
    mended(script).run(LocalSettings(cache=True))

    again = script.run(LocalSettings(cache=True))

    assert again.ran == []


def test_a_result_whose_record_is_torn_is_computed_again(script):
    first = mended(script).run()
    (first.folder.folder / "tasks" / "load" / "record.json").write_text("{")

    again, _ = resume(script, first)

    assert again.ran == ["load"]
