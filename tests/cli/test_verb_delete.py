"""``kalelite delete``, ``tag``, ``runs --state --tag``: keeping and removing runs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time

import pytest

import kalelite
from kalelite.runs import Run, deleting, run_dirs
from kalelite.runs.pipeline_run import list_runs

SCRIPT = """
from pathlib import Path
import kalelite
from kalelite import pipeline, step

@step
def make(n: int):
    return bytes([n % 256]) * 500_000

@step(cache=True)
def draw(n: int):
    Path("a.txt").write_text("drawn" * n)
    kalelite.log_artifact("a.txt", "a")
    return "drawn"

@step
def last(n: int):
    if n < 0:
        raise ValueError("negative")
    return n

@pipeline
def main(n: int = 1, k: int = 5):
    make(n), draw(k), last(n)

if __name__ == "__main__":
    import sys
    for n in map(int, sys.argv[1:]):
        try:
            main(n)
        except ValueError:
            pass
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The home of five runs of one script: the second has failed."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "work.py").write_text(SCRIPT)
    words = [
        sys.executable,
        "-m",
        "kalelite",
        "work.py",
        "--name",
        "base",
        "--home",
        folder / "home",
    ]
    words += ["--note", "as it was", "--", "1", "-2", "3", "4", "5"]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert len(list_runs(folder=folder / "home")) == 5, done.stderr
    return folder / "home"


@pytest.fixture
def home(made, tmp_path):
    """A copy of it whose runs have no names."""
    home = tmp_path / "home"
    shutil.copytree(made, home, symlinks=True)
    for path in home.glob("cache/*/*.json"):
        path.write_text(path.read_text().replace(str(made), str(home)))
    for path in home.glob("runs/*/tags.json"):
        path.unlink()
    return home


@pytest.fixture
def run(face, home):
    return lambda *words: face(*words, "--home", home)


def ids(home):
    """The runs, oldest first."""
    return [run.id for run in list_runs(folder=home)][::-1]


def stored(home):
    return sum(
        path.stat().st_blocks * 512 for path in (home / "store").rglob("*") if path.is_file()
    )


def test_the_runs_of_a_script_have_names_of_their_own(made):
    names = [run.tags.name for run in list_runs(folder=made)]

    assert names == ["base-5", "base-4", "base-3", "base-2", "base"]
    assert Run.open("base-3", folder=made).parameters["n"] == 3
    assert Run.open("base", folder=made).tags.note == "as it was"


def test_a_run_goes_with_its_values(run, home):
    first, *others = ids(home)
    before = stored(home)

    tried = run("delete", first, "--dry-run")
    assert ids(home) == [first, *others]
    assert f"{first}  main  succeeded  would be deleted" in tried.stdout
    done = run("delete", first)

    assert done.returncode == 0, done.stderr
    assert ids(home) == others
    assert before - stored(home) >= 500_000
    assert done.stdout.splitlines()[-1] == tried.stdout.splitlines()[-1].replace(
        "this would free", "freed"
    )
    assert kalelite.load(others[1], "make", folder=home) == bytes([3]) * 500_000


def test_a_cached_result_that_a_run_has_taken_stays_one(run, home):
    first, *others = ids(home)

    run("delete", first)

    (entry,) = (json.loads(path.read_bytes()) for path in home.glob("cache/*/*.json"))
    folder = home / "runs" / others[0] / "tasks" / "draw"
    assert entry["folder"] == str(folder)
    assert (
        folder / "artifacts" / entry["record"]["artifacts"][0]["file"]
    ).read_text() == "drawn" * 5


def test_all_runs_leave_nothing(run, home):
    assert run("delete", *ids(home)).returncode == 0

    assert ids(home) == []
    assert stored(home) == 0
    assert not list((home / "cache").glob("*/*.json"))


def test_by_state_age_and_number(run, home):
    first, failed, *others = ids(home)
    for at, id in enumerate(ids(home)):
        path = home / "runs" / id / "run.json"
        data = json.loads(path.read_bytes())
        path.write_text(json.dumps({**data, "finished": time.time() - (40 - 10 * at) * 86_400}))

    assert (
        f"{failed}  main  failed  would be deleted"
        in run("delete", "--state", "failed", "--dry-run").stdout
    )
    kept = run("delete", "--keep", "1", "--state", "failed", "--dry-run")
    assert kept.stdout == "no run to delete\n"  # it is the newest one that has failed
    assert run("delete", "--older-than", "35d", "--keep", "1").returncode == 0
    assert ids(home) == [failed, *others]
    run("delete", "--state", "failed", "--state", "crashed")
    assert ids(home) == others
    run("delete", "--keep", "2")
    assert ids(home) == others[1:]
    assert run("delete", "--keep", "2").stdout == "no run to delete\n"


def test_a_run_with_a_name_goes_only_by_itself(run, home):
    first, *_, newest = ids(home)

    run("tag", first, "--name", "baseline", "--note", "the first one", "data=v2", "who=me")
    run("tag", "baseline", "who=")
    done = run("delete", "--keep", "1")

    assert ids(home) == [first, newest]
    assert f"{first}  main  succeeded  kept: it is called baseline" in done.stdout
    assert "baseline data=v2 the first one" in run("runs", "--tag", "data=v2").stdout
    assert newest not in run("runs", "--tag", "data").stdout
    shown = run("show", "baseline").stdout
    assert "the first one" in shown
    assert run("delete", "baseline").returncode == 0
    assert ids(home) == [newest]


def test_a_run_that_another_may_go_on_from_stays(run, home):
    first, second, *_ = ids(home)
    path = home / "runs" / second / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_bytes()), "resumes": first}))

    refused = run("delete", first)
    assert refused.returncode == 2
    assert f"run {second} has gone on from it and is not done" in refused.stderr
    assert first in ids(home)
    run("delete", first, second)
    assert not {first, second} & set(ids(home))


def test_a_run_that_goes_on_stays_and_so_do_values_that_it_may_have(run, home):
    first, second, *_ = ids(home)
    path = home / "runs" / first / "run.json"
    born = run_dirs.born(os.getpid())
    process = {"pid": os.getpid(), "host": os.uname().nodename, "born": born}
    data = {**json.loads(path.read_bytes()), "state": "running", "process": process}
    path.write_text(json.dumps(data))
    before = stored(home)

    assert "it is still going on" in run("delete", first).stderr
    assert run("delete", second).returncode == 0
    assert "kept: it is still going on" in run("delete", "--keep", "0").stdout

    assert ids(home) == [first]
    assert stored(home) == before


def test_a_deletion_that_was_killed_is_finished_by_the_next(run, home, monkeypatch):
    first, second, *_ = ids(home)

    def killed(path):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(deleting, "remove_folder", killed)
        assert run("delete", first).returncode == 130

    assert first not in run("runs").stdout
    assert list((home / "runs").glob(".deleted-*"))
    run("delete", second)
    assert not list((home / "runs").glob(".*"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["delete"], "which runs?"),
        (
            ["delete", "last", "--keep", "3"],
            "runs were given, and which of all runs to delete, too",
        ),
        (["delete", "--older-than", "soon"], "--older-than='soon' is not a duration"),
        (["tag", "last", "--name", "2024"], "a run cannot be called '2024'"),
        (["tag", "last", "word"], "'word' is no tag"),
    ],
)
def test_what_cannot_be_meant(run, words, message):
    done = run(*words)

    assert done.returncode == 2
    assert message in done.stderr
