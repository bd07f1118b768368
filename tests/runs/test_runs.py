"""Run records: written while a run goes on, read at any time."""

import inspect
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from kalelite.errors import MissingObjectError, UsageError
from kalelite.executor.record_file import commit
from kalelite.executor.spec import FailureReport, Record
from kalelite.home_folder import home as home_of
from kalelite.marshal import Store
from kalelite.plan import graph as g
from kalelite.runs.pipeline_run import Run, list_runs, load
from kalelite.runs.writing import create


def plan(*names):
    def step():
        return None

    definition = g.StepDef("step", step, inspect.signature(step))
    return g.Plan("demo", tuple(g.Task(name, definition, {}, (g.Output("out"),)) for name in names))


class Clock:
    def __init__(self, now=1_700_000_000.0):
        self.now = now

    def __call__(self):
        return self.now


@pytest.fixture
def home(tmp_path):
    return tmp_path / ".kalelite"


def begin(home, *names, clock=None, **more):
    return create(
        plan(*names), {"n": 1, "p": Path("x")}, folder=home, clock=clock or Clock(), **more
    )


def succeed(folder, home, instance, value, **more):
    reference = Store(home / "store").save(value)
    outputs = {"out": {"ref": reference, "type": "int", "preview": repr(value), "size": 1}}
    record = Record(instance, "succeeded", outputs=outputs, started=10.0, finished=12.5, **more)
    commit(record, folder.task(instance) / "record.json")
    folder.event(instance, "succeeded")


# --- the home


def test_the_home_is_the_given_one_or_the_environments_or_the_nearest(tmp_path, monkeypatch):
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    monkeypatch.delenv("KALELITE_HOME", raising=False)
    if not any((folder / ".kalelite").exists() for folder in tmp_path.parents):
        assert home_of() == below / ".kalelite"
    (tmp_path / "a" / ".kalelite").mkdir()
    assert home_of() == tmp_path / "a" / ".kalelite"
    monkeypatch.setenv("KALELITE_HOME", str(tmp_path / "env"))
    assert home_of() == tmp_path / "env"
    assert home_of(tmp_path / "given") == tmp_path / "given"


def test_a_home_that_cannot_be_written_is_a_usage_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="the run cannot be recorded"):
        begin(tmp_path / "file", "a")


# --- ids


def test_ids_are_unique_and_sort_by_time_also_if_the_clock_goes_back(home):
    clock = Clock()
    ids = []
    for step in (0, 0, 0.5, -3600, 100, 0):
        clock.now += step
        ids.append(begin(home, "a", clock=clock).id)
    assert len(set(ids)) == 6
    assert ids == sorted(ids)
    assert [run.id for run in list_runs(folder=home)] == ids[::-1]


def test_runs_are_opened_by_id_beginning_or_last(home):
    clock = Clock()
    first = begin(home, "a", clock=clock).id
    clock.now += 86_400
    second = begin(home, "a", clock=clock).id
    assert Run.open(folder=home).id == second
    assert Run.open(first, folder=home).id == first
    assert Run.open(first[:9], folder=home).id == first
    with pytest.raises(UsageError, match="several runs begin with '2023'"):
        Run.open("2023", folder=home)
    with pytest.raises(UsageError, match=f"no run that begins with 'zzz'.*\n.*{second}"):
        Run.open("zzz", folder=home)


def test_no_run_at_all(home):
    with pytest.raises(UsageError, match="there is no run in"):
        Run.open(folder=home)
    assert list_runs(folder=home) == []


# --- states


def test_a_run_is_read_while_it_goes_on(home):
    folder = begin(home, "a", "b", "c", "d")
    folder.event("a", "running")
    succeed(folder, home, "a", 5)
    folder.event("b", "running")
    folder.event("c", "skipped", reason="the condition is false")
    run = Run.open(folder=home)
    assert run.state == "running"
    assert {name: task.status for name, task in run.tasks.items()} == {
        "a": "succeeded",
        "b": "running",
        "c": "skipped",
        "d": "waiting",
    }
    assert run.tasks["a"].seconds == 2.5
    assert run.tasks["c"].reason == "the condition is false"
    assert run.parameters == {"n": 1, "p": repr(Path("x"))}
    assert run.pipeline == "demo"
    assert Run.open(folder=home).load("a") == 5


def test_the_end_of_a_run(home):
    clock = Clock()
    folder = begin(home, "a", "b", clock=clock)
    folder.event("a", "running")
    failure = FailureReport("ValueError", "m")
    commit(Record("a", "failed", failure=failure), folder.task("a") / "record.json")
    clock.now += 7
    folder.finish("failed")
    run = Run.open(folder=home)
    assert (run.state, run.seconds) == ("failed", 7)
    assert run.tasks["a"].status == "failed"
    assert run.tasks["a"].record.failure == failure
    assert run.tasks["b"].status == "not run"


def test_a_run_whose_process_is_gone_has_crashed(home):
    code = (
        "import sys; from kalelite.runs.writing import create; from kalelite.plan.graph import Plan\n"
        f"create(Plan('p'), {{}}, folder={str(home)!r})"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert Run.open(folder=home).state == "crashed"


def test_a_torn_line_and_strange_files_are_passed_over(home):
    folder = begin(home, "a", "b")
    folder.event("a", "running")
    with open(folder.folder / "events.jsonl", "ab") as file:
        file.write(b'{"at": 1, "task": "b", "sta')
    (home / "runs" / "notes.txt").write_text("")
    (home / "runs" / "20200101-000000-0000000").mkdir()
    assert Run.open(folder=home).tasks["a"].status == "running"
    assert Run.open(folder=home).tasks["b"].status == "waiting"
    assert len(list_runs(folder=home)) == 1


def test_a_record_that_no_event_tells_of_counts(home):
    folder = begin(home, "a")
    folder.event("a", "running")
    reference = Store(home / "store").save(1)
    record = Record("a", "succeeded", outputs={"out": {"ref": reference}})
    commit(record, folder.task("a") / "record.json")
    assert Run.open(folder=home).tasks["a"].status == "succeeded"


def test_what_the_pods_of_a_run_have_noted_counts(home):
    run = begin(home, "a", "b")
    run.update(kfp={"run": "1"})
    run.event("a", "running")
    lines = [{"at": 2.0, "task": "a", "state": "running", "attempt": 2}]
    lines += [{"at": 3.0, "task": "a", "state": "not run", "reason": "b failed"}]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (run.task("a") / "events.jsonl").write_text(text + '{"torn')

    task = Run.open(folder=home).tasks["a"]
    assert (task.status, task.reason) == ("not run", "b failed")


def test_run_json_is_never_seen_half_written(home):
    folder = begin(home, "a", backend="local")
    folder.update(code="code/x", url=None)
    assert [path.name for path in folder.folder.iterdir() if path.name.startswith(".")] == []
    data = json.loads((folder.folder / "run.json").read_text())
    assert (data["backend"], data["code"], data["state"]) == ("local", "code/x", "running")


# --- metrics, artifacts, outputs


def test_metrics_and_artifacts_come_with_their_task(home):
    folder = begin(home, "a")
    more = {
        "metrics": ({"name": "acc", "value": 1},),
        "artifacts": ({"name": "p", "file": "p.png"},),
    }
    succeed(folder, home, "a", 1, **more)
    run = Run.open(folder=home)
    assert run.metrics == {"a.acc": 1}
    assert run.curves == {"a.acc": [(0, 1)]}
    assert run.artifacts == {"a.p": folder.task("a") / "artifacts" / "p.png"}
    assert dict(run.values) == {"a.out": 1}
    assert run.values["a"] == 1
    assert run.values.get("b") is None


def test_outputs_of_loops_come_in_the_order_of_the_items(home):
    folder = begin(home, "a")
    for index in (10, 2, 0):
        succeed(folder, home, f"a[{index}]", index * 10)
    run = Run.open(folder=home)
    assert list(run.tasks) == ["a[0]", "a[2]", "a[10]"]
    assert run.load("a.out") == [0, 20, 100]
    assert run.load("a") == [0, 20, 100]
    assert run.load("a[10].out") == run.load("a[10]") == 100


def test_an_output_that_is_not_there_is_said_with_those_that_are(home):
    folder = begin(home, "train")
    succeed(folder, home, "train", 1)
    with pytest.raises(UsageError, match="no single output 'trian.out'\n.*train.out"):
        load("last", "trian.out", folder=home)


def test_a_value_that_was_cleaned_away_is_said_to_be(home):
    folder = begin(home, "a")
    succeed(folder, home, "a", list(range(10)))
    for path in (home / "store").rglob("*"):
        if path.is_file():
            path.unlink()
    with pytest.raises(MissingObjectError, match="no longer in the store"):
        load("last", "a", folder=home)


# --- values of the user's own classes

PROGRAM = """
import dataclasses
from shapes import Square
@dataclasses.dataclass
class Config:
    x: int
    def double(self): return helper(self.x)
def helper(x): return 2 * x
def one(): return Config(4), Square(2)
"""
CAPTURE = """
import sys
sys.path.append({harness!r})
from capture_harness import steps_of
from kalelite.runs.writing import create
from kalelite.capture.code import capture
from kalelite.capture.load import CodeFolder
from kalelite.executor.execute import execute
from kalelite.executor.spec import OutputSpec, TaskSpec
from kalelite.marshal import Store
home = sys.argv[1]
plan = steps_of([one])
capture(plan).write(home + "/code/x")
folder = create(plan, {{}}, folder=home, code="code/x")
record = str(folder.task("one") / "record.json")
code = CodeFolder(home + "/code/x")
execute(TaskSpec("one", "one", {{}}, (OutputSpec("out"),), record=record), code, Store(home + "/store"))
folder.finish("succeeded")
"""


@pytest.fixture
def made(tmp_path, home):
    """A run whose output holds instances of classes of its script and of a local module."""
    source = tmp_path / "src"
    source.mkdir()
    (source / "shapes.py").write_text("class Square:\n    def __init__(self, a): self.a = a\n")
    harness = str(Path(__file__).parent.parent / "capture")
    ending = textwrap.indent(CAPTURE.format(harness=harness), "    ")
    (source / "script.py").write_text(PROGRAM + "if __name__ == '__main__':\n" + ending)
    subprocess.run([sys.executable, "script.py", str(home)], cwd=source, check=True)
    return source


def look(cwd, home, text):
    code = f"from kalelite.runs.pipeline_run import load\ndef get(name): return load('last', name, folder={str(home)!r})\n"
    done = subprocess.run(
        [sys.executable, "-c", code + textwrap.dedent(text)],
        cwd=cwd,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_values_of_the_scripts_classes_load_where_the_script_is_not(made, home, tmp_path):
    (made / "shapes.py").unlink()
    text = """
    import sys
    before = sys.modules["__main__"]
    config, square = get("one.out")
    assert config.double() == 8 and square.a == 2 and type(config).__name__ == "Config"
    again, _ = get("one")
    assert again == config
    assert sys.modules["__main__"] is before
    assert not hasattr(before, "Config")
    """
    look(tmp_path, home, text)


def test_in_the_script_itself_they_are_of_its_own_classes(made, home):
    text = f"""
    import sys
    from pathlib import Path
    __file__ = {str(made / "script.py")!r}
    class Config: pass
    config, square = get("one")
    assert type(config) is Config
    import shapes
    assert type(square) is shapes.Square and shapes.__file__ == {str(made / "shapes.py")!r}
    """
    look(made, home, text)


def test_a_run_of_another_python_gives_what_needs_no_code(made, home):
    index = home / "code" / "x" / "index.json"
    data = json.loads(index.read_text())
    index.write_text(json.dumps({**data, "python": "2.7"}))
    folder = Run.open(folder=home).folder
    path = folder / "tasks" / "one" / "record.json"
    record = json.loads(path.read_text())
    record["outputs"]["out"]["ref"] = Store(home / "store").save([1, 2])
    path.write_text(json.dumps(record))
    assert load("last", "one", folder=home) == [1, 2]


def test_opening_costs_no_more_than_reading(home):
    """A listing of many runs reads no task."""
    for _ in range(5):
        begin(home, "a")
    os.chmod(home / "runs", 0o755)
    assert len(list_runs(folder=home, limit=3)) == 3


def test_a_run_is_opened_by_the_name_that_the_readme_gives(home):
    from kalelite.runs import Run as public

    assert public is Run
