"""``--isolate``: the script works in a clone, and its workspace is as it was."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

SCRIPT = """
import os
from pathlib import Path
import helper
from kalelite import pipeline, step

@step
def edit(n: int) -> int:
    with open("data/in.txt", "r+") as file:
        file.write("EDITED")
    Path(__file__).with_name("model.txt").write_text("model")
    os.remove("old.txt")
    return helper.double(n)

@pipeline
def main(n: int = 3):
    return edit(n)
"""


def tree(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
        if {".kalelite", "__pycache__"}.isdisjoint(path.relative_to(folder).parts)
    }


@pytest.fixture
def project(shell):
    (shell.folder / "data").mkdir()
    (shell.folder / "jobs").mkdir()
    shell.write("data/in.txt", "as it was")
    shell.write("old.txt", "old")
    shell.write("helper.py", "def double(n): return 2 * n\n")
    shell.write("train.py", SCRIPT)
    return shell.folder


@pytest.mark.parametrize("how", [[], ["--debug"]])
def test_the_workspace_is_untouched_and_what_was_written_is_kept(shell, project, how):
    before = tree(project)

    done = shell("train.py", "--isolate", "-p", "n=4", *how)

    assert done.returncode == 0, done.stdout + done.stderr
    assert tree(project) == before
    (kept,) = (project / ".kalelite" / "isolated").iterdir()
    assert tree(kept / project.name) == {
        "data": None,
        "data/in.txt": b"EDITEDwas",
        "model.txt": b"model",
    }
    where = f".kalelite/isolated/{kept.name}/{project.name}"
    assert f"written in the clone, kept in {where}: data/in.txt, model.txt" in done.stdout
    assert "removed in the clone only: old.txt" in done.stdout
    assert f"isolated in a clone of {project} (4 files" in done.stdout


def test_runs_and_values_are_where_they_always_are(shell, project):
    shell("train.py", "--isolate", "-p", "n=4")

    assert len(list((project / ".kalelite" / "runs").iterdir())) == 1
    assert "edit.output  8" in shell("show", "last").stdout


def test_by_its_absolute_path_and_from_a_folder_of_the_project(shell, project):
    shell.write(
        "jobs/sub.py", "from pathlib import Path\n" + SCRIPT.replace("data/in", "../data/in")
    )
    shell.write("jobs/old.txt", "old")
    before = tree(project)
    words = [sys.executable, "-m", "kalelite", str(project / "jobs" / "sub.py"), "--isolate"]

    done = subprocess.run(
        words,
        cwd=project / "jobs",
        env=shell.environ | {"PYTHONPATH": ".."},
        capture_output=True,
        text=True,
    )

    assert "data/in.txt, jobs/model.txt" in done.stdout, done.stdout + done.stderr
    assert tree(project) == before


def test_the_environment_and_a_file_may_ask_for_it(shell, project):
    shell.write("setup.cfg", "[kalelite]\nisolate = true\n")

    assert "isolated in a clone" in shell("train.py").stdout
    assert "isolated" not in shell("train.py", KALELITE_ISOLATE="false").stdout


def test_a_run_that_writes_nothing_leaves_nothing(shell, project):
    shell.write(
        "quiet.py", SCRIPT.replace("edit(n: int) -> int:", "edit(n: int) -> int:\n    return n")
    )

    done = shell("quiet.py", "--isolate")

    assert done.returncode == 0
    assert list((project / ".kalelite" / "isolated").iterdir()) == []


def test_a_script_outside_of_the_workspace_is_refused(shell, project, tmp_path_factory):
    other = tmp_path_factory.mktemp("other") / "other.py"
    other.write_text(SCRIPT)

    done = shell(other, "--isolate")

    assert done.returncode == 2
    assert "stands outside of the workspace" in done.stderr


def test_with_json_the_output_is_objects_only(shell, project):
    done = shell("train.py", "--isolate", "--output", "json")

    assert all(line.startswith("{") for line in done.stdout.splitlines())
    assert "written in the clone" in done.stderr


def test_what_a_killed_run_leaves_is_removed_by_the_next(shell, project):
    shell.write(
        "slow.py",
        SCRIPT.replace(
            "os.remove", "print('in', flush=True); __import__('time').sleep(60); os.remove"
        ),
    )
    words = [sys.executable, "-m", "kalelite", "slow.py", "--isolate", "--debug"]
    isolated = project / ".kalelite" / "isolated"
    with subprocess.Popen(
        words, cwd=project, env=shell.environ, stdout=subprocess.PIPE, text=True
    ) as run:
        while run.stdout.readline() != "in\n":
            assert run.poll() is None
        run.send_signal(signal.SIGKILL)
    (left,) = isolated.iterdir()

    shell("train.py", "--isolate")

    assert left not in set(isolated.iterdir())
    assert len(list(isolated.iterdir())) == 1
    assert (project / "old.txt").exists()
