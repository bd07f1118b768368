"""``--kfp`` as people type it, against a small API of Kubeflow Pipelines."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
import zipfile
from types import SimpleNamespace

import pytest
from kfp_server import DONE, SCRIPT, Frame, node, step

from kalelite import load
from kalelite.authoring.events import RunStarted
from kalelite.backends.kubeflow.follow.follower import Follower
from kalelite.backends.kubeflow.kubeflow_backend import KubeflowBackend
from kalelite.cli import main
from kalelite.executor import record_file
from kalelite.executor.spec import Record
from kalelite.marshal import Store


class Shell:
    """The command, in a folder of its own, with the API that it is to use.

    Called, it is run in this process: importing kfp takes a second each time.
    """

    def __init__(self, folder, host, monkeypatch, capsys):
        self.folder = folder
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        (folder / ".kalelite").mkdir()
        (folder / "chain.py").write_text(SCRIPT)
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("KALELITE_", "KF_"))}
        self._host = host
        self.environ = kept | {"KALELITE_KFP_HOST": host, "KUBECONFIG": str(folder / "none")}

    def start(self, *words, **environ):
        return subprocess.Popen(
            [sys.executable, "-m", "kalelite", *words],
            cwd=self.folder,
            env=self.environ | environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def attached(self):
        """The last run, as Python finds it again."""
        backend = KubeflowBackend(home=self.folder / ".kalelite", kfp_host=self._host)
        return backend.attach("last")

    def __call__(self, *words, **environ):
        with self._monkeypatch.context() as patch:
            patch.chdir(self.folder)
            for name, value in (self.environ | environ).items():
                patch.setenv(name, value)
            code = main(words)
        out, err = self._capsys.readouterr()
        return subprocess.CompletedProcess(words, code, out, err)


@pytest.fixture
def shell(tmp_path, kfp_server, monkeypatch, capsys):
    return Shell(tmp_path, kfp_server.host, monkeypatch, capsys)


def runs(shell):
    return json.loads(shell("runs", "--output", "json").stdout.splitlines()[0])


def test_a_run_is_submitted_and_followed_to_its_end(shell, kfp_server):
    kfp_server.script = [
        Frame("RUNNING", step("make", "Running", at=5)),
        Frame("SUCCEEDED", DONE),
    ]

    done = shell("chain.py", "--kfp", "-p", "n=5")

    (run,) = kfp_server.runs.values()
    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    assert f"{kfp_server.host}/#/runs/details/{run.body['run_id']}" in lines[1]
    assert "Kubernetes cannot be reached from here" in lines[0]
    assert "✓ chain succeeded in" in done.stdout
    assert run.body["runtime_config"]["parameters"] == {"n": 5}
    assert run.body["display_name"].startswith("chain 20")
    events = [line.split()[1:4] for line in lines if line.split()[1:2] == ["make"]]
    assert events == [["make", "▸", "running"], ["make", "✓", "succeeded"]]


def test_packages_that_the_stock_image_lacks_are_named_before_the_run(shell, kfp_server):
    (shell.folder / "chain.py").write_text(
        f"import numpy\n{SCRIPT.replace('return n', 'return numpy.abs(n)', 1)}"
    )
    kfp_server.script = [Frame("SUCCEEDED", DONE)]

    lines = shell("chain.py", "--kfp").stdout.splitlines()

    assert "lacks what steps import: numpy (make)" in lines[1]
    assert "'packages': ['numpy']" in lines[1]
    assert kfp_server.host in lines[2]
    assert "lacks" not in shell("chain.py", "--kfp", KALELITE_IMAGE="own/image").stdout


def test_nothing_but_the_run_is_printed_by_kfp(shell):
    done = shell("chain.py", "--kfp")

    assert "details:" not in done.stdout
    assert done.stderr == ""


def test_the_record_is_that_of_a_local_run(shell, kfp_server):
    kfp_server.script = [Frame("SUCCEEDED", DONE)]
    shell("chain.py", "--kfp", "--experiment", "trials", "--run-name", "first")

    run = runs(shell)
    shown = shell("show").stdout

    assert (run["state"], run["backend"]) == ("succeeded", "kubeflow")
    assert run["kfp"]["run"] in kfp_server.runs
    assert (run["kfp"]["experiment"], run["kfp"]["name"]) == ("trials", "first")
    assert "make  ✓ succeeded in 3.00 s" in shown


def test_how_long_the_values_stay_is_told(shell, kfp_server):
    kfp_server.script = [Frame("SUCCEEDED", DONE)]

    done = shell("chain.py", "--kfp")
    assert "  volume     kept until " in shell("show").stdout
    lasting = shell("chain.py", "--kfp", KALELITE_MARSHAL_VOLUME="team")

    (run, *_) = [line for line in done.stdout.splitlines() if "removes the run's volume" in line]
    assert "24 h 00 min after its end" in run
    assert "--fetch brings one" in run
    assert "removes the run's volume" not in lasting.stdout
    assert "kept until" not in shell("show").stdout


def test_a_failed_step_ends_with_its_exit_code(shell, kfp_server):
    kfp_server.script = [
        Frame(
            "FAILED",
            [
                *step("make", "Failed", "main: OOMKilled (exit code 137)", at=5, until=8),
                node("root.use", "Omitted", "omitted: depends condition not met"),
            ],
        )
    ]

    done = shell("chain.py", "--kfp")

    assert done.returncode == 1
    assert "✗ make failed after 3.00 s" in done.stdout
    assert "MemoryError: it was killed because it took more memory than it may" in done.stdout
    assert "Give it more with memory=" in done.stdout
    assert "not run: use" in done.stdout


def test_a_run_that_somebody_cancels(shell, kfp_server):
    stopped = step("make", "Failed", "Step exceeded its deadline", at=5, until=8)
    kfp_server.script = [Frame("FAILED", stopped, stopped=True)]

    done = shell("chain.py", "--kfp")

    assert done.returncode == 130
    assert "chain cancelled" in done.stdout
    assert runs(shell)["state"] == "cancelled"


def test_a_run_that_is_not_waited_for_is_followed_later(shell, kfp_server):
    kfp_server.script = [Frame("SUCCEEDED", DONE)]

    started = shell("chain.py", "--kfp", "--no-wait")
    state = runs(shell)["state"]
    followed = shell("follow")

    assert started.returncode == 0
    assert started.stdout.splitlines()[0].startswith(f"{kfp_server.host}/#/runs/details/")
    assert state == "running"
    assert followed.returncode == 0
    assert "✓ chain succeeded" in followed.stdout


LOOP = """
from kalelite import Collected, ParallelFor, pipeline, step

@step
def square(x: int) -> int:
    return x * x

@step
def total(values: list) -> int:
    return sum(values)

@pipeline(pods="few")
def loop():
    with ParallelFor([1, 2, 3]) as x:
        y = square(x)
    return total(Collected(y))
"""


def test_a_followed_run_knows_the_loops_in_its_pods(shell, kfp_server):
    (shell.folder / "loop.py").write_text(LOOP)
    kfp_server.script = [Frame("SUCCEEDED", step("square-pod", "Succeeded", at=5, until=8))]
    shell("loop.py", "--kfp", "--no-wait")

    started = []
    shell.attached().follow(SimpleNamespace(emit=started.append))

    (plan,) = [event.plan for event in started if isinstance(event, RunStarted)]
    (loop,) = plan.blocks
    assert {task.id: task.parent for task in plan.tasks} == {"square": loop.id, "total": ""}


def test_a_run_that_its_pods_have_begun_to_record_is_followed(shell, kfp_server):
    """It was started in KFP's UI: the record is on the volume, whose home this is."""
    kfp_server.script = [Frame("SUCCEEDED", DONE)]
    shell("chain.py", "--kfp", "--no-wait")
    (path,) = (shell.folder / ".kalelite/runs").glob("*/run.json")
    data = json.loads(path.read_text())
    nowhere = {"name": "", "host": "", "nodes": {}}
    begun = {"url": None, "process": {"pid": 0, "host": "", "born": ""}}
    path.write_text(json.dumps({**data, **begun, "kfp": {**data["kfp"], **nowhere}}))
    own = path.parent.with_name(data["kfp"]["run"])
    own.symlink_to(path.parent.name)
    log = path.parent / "tasks/make/log.txt"
    log.parent.mkdir()
    log.write_text("as its pod has written it")

    printed = shell("logs", "last", "make").stdout
    asked = kfp_server.calls["run"]
    followed = shell("follow")

    assert (printed.strip(), asked) == ("as its pod has written it", 0)
    assert "✓ chain succeeded" in followed.stdout
    assert runs(shell)["state"] == "succeeded"
    after = json.loads(path.read_text())["kfp"]
    assert after["nodes"] == data["kfp"]["nodes"]
    assert log.read_text() == "as its pod has written it"


def test_a_run_is_cancelled_by_its_id(shell, kfp_server):
    kfp_server.script = [Frame("RUNNING", step("make", "Running", at=5))]
    shell("chain.py", "--kfp", "--no-wait")

    cancelled = shell("cancel", "last")
    followed = shell("follow")

    assert "is being cancelled" in cancelled.stdout
    assert followed.returncode == 130
    assert runs(shell)["state"] == "cancelled"


@pytest.mark.parametrize("moment", ["start", "run"])
def test_a_submitter_that_is_killed_is_no_loss(shell, kfp_server, moment):
    kfp_server.script = [Frame("RUNNING", step("make", "Running", at=5))]
    if moment == "start":
        kfp_server.faults["start"] = ["lost"]
        kfp_server.faults["list_runs"] = [503] * 9
    process = shell.start("chain.py", "--kfp")
    while not kfp_server.calls[moment] or not kfp_server.runs:
        time.sleep(0.05)
    process.kill()
    process.communicate()
    kfp_server.faults.clear()
    (run,) = kfp_server.runs.values()
    run.frames = [Frame("SUCCEEDED", DONE)]

    followed = shell("follow")

    assert followed.returncode == 0, followed.stderr
    assert "✓ chain succeeded" in followed.stdout
    assert len(kfp_server.runs) == 1


def test_ctrl_c_leaves_the_run_alone(shell, kfp_server):
    kfp_server.script = [Frame("RUNNING", step("make", "Running", at=5))]
    process = shell.start("chain.py", "--kfp")
    while kfp_server.calls["run"] < 1:
        time.sleep(0.05)
    time.sleep(0.3)
    os.kill(process.pid, signal.SIGINT)
    out, _ = process.communicate(timeout=30)

    assert process.returncode == 130
    assert "kalelite follow 20" in out
    assert kfp_server.calls["terminate"] == 0
    assert runs(shell)["state"] == "running"


def test_an_api_that_is_not_there_starts_nothing(shell):
    done = shell("chain.py", "--kfp", KALELITE_KFP_HOST="http://127.0.0.1:1")

    assert done.returncode == 5
    assert "does not answer at http://127.0.0.1:1" in done.stderr
    assert shell("runs").stdout.startswith("no runs")


def test_a_local_run_cannot_be_followed(shell):
    shell("chain.py")

    done = shell("follow")

    assert done.returncode == 2
    assert "is not one on Kubeflow Pipelines" in done.stderr


def test_options_of_a_submission_need_one(shell):
    for words in (["--no-wait"], ["--kfp", "--dry-run", "--run-name", "x"]):
        done = shell("chain.py", *words)
        assert done.returncode == 2
        assert "is about a run that is submitted" in done.stderr


NATIVE = """
import sys
from kalelite import pipeline, step

@step
def make(n: int) -> int:
    return n

@pipeline
def single(n: int = 3):
    return make(n)

run = single.submit(4, settings={"run_name": "mine"})
print(run.state, run.url)
print(run.wait().state, run.logs("make") == "")
again = single.submit(5)
again.cancel()
try:
    again.wait()
except Exception as error:
    print(type(error).__name__, error)
"""


def test_a_run_that_is_submitted_in_python(shell, kfp_server):
    kfp_server.script = [Frame("RUNNING"), Frame("SUCCEEDED", step("make", "Succeeded", at=1))]
    (shell.folder / "single.py").write_text(NATIVE)
    process = subprocess.run(
        [sys.executable, "single.py"],
        cwd=shell.folder,
        env=shell.environ,
        capture_output=True,
        text=True,
        check=True,
    )
    first, second, third = process.stdout.splitlines()[:3]
    bodies = [run.body for run in kfp_server.runs.values()]

    assert first.startswith(f"running {kfp_server.host}/#/runs/details/")
    assert second == "succeeded True"
    assert third.startswith("StepError the run 20") and third.endswith("was cancelled")
    assert [body["runtime_config"]["parameters"] for body in bodies] == [{"n": 4}, {"n": 5}]
    assert bodies[0]["display_name"] == "mine"


def test_what_cannot_be_brought_is_said(shell, kfp_server):
    kfp_server.script = [Frame("SUCCEEDED", DONE)]
    shell("chain.py", "--kfp")

    done = shell("get", "last", "make", "--fetch")

    assert done.returncode == 5
    assert "Kubernetes cannot be reached from here" in done.stderr


def test_a_run_without_a_volume_says_what_it_has_not(shell, kfp_server):
    kfp_server.script = [Frame("FAILED", [*DONE[:-1]])]
    run = shell("chain.py", "--kfp", "--marshal", "artifacts", "--cache")
    assert "no result is kept, for the values travel as artifacts" in run.stdout
    assert "chain.py --kfp --marshal artifacts --cache\n" in run.stdout, "how to run it anew"
    assert "Kubeflow removes the run's volume" not in run.stdout

    done = shell("get", "last", "make", "--fetch")
    assert done.returncode == 5
    assert "in the object store of Kubeflow Pipelines" in done.stderr
    assert "kept--STEP" in done.stderr

    done = shell("resume")
    assert done.returncode == 2
    assert "values travelled as artifacts, which another run cannot go on from" in done.stderr


def test_a_mounted_volume_gives_records_and_values(shell, kfp_server, tmp_path):
    home = tmp_path / "marshal" / ".kalelite"
    store = Store(home / "store")
    entry = {"ref": store.save({"a": 1}), "preview": "{'a': 1}"}

    def leave_record():
        (run,) = kfp_server.runs
        folder = home / "runs" / run / "tasks" / "make"
        folder.mkdir(parents=True)
        record = Record("make", "succeeded", outputs={"output": entry})
        record_file.commit(record, folder / "record.json")

    kfp_server.script = [Frame("SUCCEEDED", DONE)]
    (shell.folder / "setup.cfg").write_text(f"[kalelite]\nmarshal_path = {home.parent}\n")
    shell("chain.py", "--kfp", "--no-wait")
    leave_record()
    shell("follow")

    assert "{'a': 1}" in shell("get", "last", "make").stdout
    assert load("last", "make", folder=shell.folder / ".kalelite") == {"a": 1}


def bundled(shell) -> dict:
    """What the code of the last run says of its tasks."""
    run = max((shell.folder / ".kalelite" / "runs").iterdir())
    texts = (run / "pipeline.yaml").read_text()
    code = base64.b64decode(re.search(r"kalelite:[0-9a-f]{64}:([A-Za-z0-9+/=]+)", texts)[1])
    with zipfile.ZipFile(io.BytesIO(code)) as archive:
        return json.loads(archive.read("tasks.json"))


def test_a_failed_run_goes_on_on_its_own_volume(shell, kfp_server):
    kfp_server.script = [Frame("FAILED", [*DONE[:-1]])]
    assert shell("chain.py", "--kfp", "--run-name", "again").returncode
    first = runs(shell)

    kfp_server.script = [Frame("SUCCEEDED", DONE)]
    done = shell("resume", "--refresh", "use")

    assert "kept    make  (1 step)" in done.stdout
    assert "runs    use: --refresh was given" in done.stdout
    second = runs(shell)
    assert done.returncode == 0, done.stderr
    assert second["resumes"] == first["id"]
    assert second["kfp"]["claim"], "the claim that a task of the first run made"
    tasks = bundled(shell)
    assert tasks["make"]["recalling"]["runs"] == [first["kfp"]["run"]]
    assert tasks["use"]["recalling"]["runs"] == []
    assert f"the values lie on the volume of run {first['id']}" in done.stdout


@pytest.mark.parametrize("words", [[], ["--recurring", "@daily"]])
def test_the_run_whose_volumes_are_cloned_may_be_given_by_its_name(shell, kfp_server, words):
    kfp_server.script = [Frame("SUCCEEDED", DONE)]
    shell("chain.py", "--kfp", "--name", "first")
    first = runs(shell)["id"]

    done = shell("chain.py", "--kfp", "--snapshot", "first", *words)

    assert done.returncode
    assert f"snapshot {first}" in done.stderr, "no cluster is reached here"


def test_a_run_starts_after_a_step_of_another(shell, kfp_server):
    kfp_server.script = [Frame("SUCCEEDED", DONE)]
    shell("chain.py", "--kfp")
    first = runs(shell)
    (shell.folder / "chain.py").write_text(SCRIPT.replace("return n", "return n + 1"))

    done = shell("chain.py", "--kfp", "--from", "last:make")

    assert done.returncode == 0, done.stderr
    tasks = bundled(shell)
    by_name = {"key": None, "kept": False, "taken": False, "runs": [first["kfp"]["run"]]}
    assert tasks["make"]["recalling"] == by_name
    assert tasks["use"]["recalling"]["runs"] == []
    assert (runs(shell)["given"], runs(shell)["given_by"]) == (["make"], first["id"])
    refused = shell("chain.py", "--kfp", "--from", "last:make", "--dry-run")
    assert "--from is about a run, and --dry-run begins none" in refused.stderr
    refused = shell("chain.py", "--kfp", "--from", "last:make", "--refresh", "make")
    assert "would run a step that --from takes" in refused.stderr


def test_a_run_that_goes_on_is_not_gone_on_with(shell, kfp_server):
    kfp_server.script = [Frame("RUNNING", [])]
    shell("chain.py", "--kfp", "--no-wait")

    done = shell("resume")

    assert done.returncode == 2
    assert "is still going on" in done.stderr
    assert "kalelite cancel" in done.stderr


def test_flags_about_results_reach_the_pods(shell):
    shell("chain.py", "--kfp", "--no-wait", "--cache", "--refresh", "make")

    tasks = bundled(shell)
    assert (tasks["use"]["recalling"]["kept"], tasks["use"]["recalling"]["taken"]) == (True, True)
    assert (tasks["make"]["recalling"]["kept"], tasks["make"]["recalling"]["taken"]) == (
        True,
        False,
    )
    assert "Did you mean 'make'?" in shell("chain.py", "--kfp", "--refresh", "maek").stderr


def test_what_pods_have_taken_is_shown_with_its_run(shell, kfp_server, monkeypatch):
    taken = "kalelite: make was taken from run 20260101-000000-000abcd\n"
    monkeypatch.setattr(Follower, "_keep_log", lambda self, name, seen: taken)
    kfp_server.script = [Frame("SUCCEEDED", DONE)]

    done = shell("chain.py", "--kfp")

    assert "as in run 20260101-000000-000abcd" in done.stdout
    assert "as in run 20260101-000000-000abcd" in shell("show").stdout


def test_explain_compares_the_code_of_runs_and_what_their_pods_have_recorded(
    shell, kfp_server, tmp_path
):
    kfp_server.script = [Frame("SUCCEEDED", DONE)]
    script = (shell.folder / "chain.py").read_text()
    shell("chain.py", "--kfp")
    (shell.folder / "chain.py").write_text(script.replace("return str(x)", 'return f"<{x}>"'))

    done = shell("chain.py", "--kfp", "--explain", "-p", "n=5")

    shown = done.stdout.partition("✓ make  it ran")[2]
    assert "kalelite explain 20" in shown.splitlines()[0], "what it was given is not here"
    assert '+    return f"<{x}>"' in shown
    ids = sorted(each.name for each in (shell.folder / ".kalelite" / "runs").iterdir())
    for id, n, version in zip(ids, (3, 5), ("1.0", "2.0"), strict=True):  # as --fetch brings them
        folder = shell.folder / ".kalelite" / "runs" / id / "tasks" / "make"
        record = Record(
            "make",
            "succeeded",
            versions={"python": "3.11.7"},
            inputs={"n": {"value": n}},
            parts={"package numpy": version},
        )
        record_file.commit(record, folder / "record.json")
    lines = shell("explain", "last", "make").stdout.splitlines()
    assert lines[1:] == [
        "    numpy is 2.0 and was 1.0",
        "    the argument n is another value: 5, and was 3",
    ]
    assert shell("explain", "--fetch").returncode == 5


@pytest.mark.parametrize("flag", ["--no-wait", "--dry-run"])
def test_explain_needs_the_end_of_a_run(shell, flag):
    assert "--explain is about the end" in shell("chain.py", "--kfp", "--explain", flag).stderr


def test_an_edit_is_told_before_a_run_on_kubeflow_goes_on(shell, kfp_server):
    kfp_server.script = [Frame("FAILED", [*DONE[:-1], *step("use", "Failed", at=20, until=22)])]
    shell("chain.py", "--kfp")
    script = (shell.folder / "chain.py").read_text()
    (shell.folder / "chain.py").write_text(script.replace("return n", "return n + 1"))

    kfp_server.script = [Frame("SUCCEEDED", DONE)]
    done = shell("resume")

    assert "runs    make: its own code was edited" in done.stdout
    assert "then    use, unless unchanged" in done.stdout
