"""What lies around a script: modules beside it, the folder it is in, the process it runs in."""

from __future__ import annotations

import pytest

STEPS = """
from kalelite import pipeline, step

@step
def load():
    return 3

@pipeline
def p():
    return load()
"""


@pytest.mark.parametrize(
    "line",
    [
        "import os; os.environ.clear()",
        "import warnings; warnings.simplefilter('error')",
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))",
        "import os; pid = os.fork()\nif not pid: os._exit(9)\nos.waitpid(pid, 0)",
    ],
)
def test_a_pipeline_runs_after_what_a_script_may_do_to_its_process(shell, line):
    shell.write("script.py", f"{STEPS}\n{line}\n")

    done = shell("script.py")

    assert done.returncode == 0
    assert "✓ p succeeded" in done.stdout
    assert done.stderr == ""


def test_a_folder_that_the_script_removes_is_reported_before_a_step_starts(shell):
    change = (
        "import os, tempfile\nfolder = tempfile.mkdtemp()\nos.chdir(folder)\nos.rmdir(folder)\n"
    )
    shell.write("script.py", STEPS + change)

    done = shell("script.py")

    assert done.returncode == 2
    assert "the current folder does not exist any more" in done.stderr


@pytest.mark.parametrize(
    "name", ["sysconfig", "platform", "uuid", "csv", "textwrap", "selectors", "tempfile", "queue"]
)
@pytest.mark.parametrize("start", ["auto", "spawn"])
def test_a_neighbour_named_like_a_module_of_python_is_no_trap(shell, name, start):
    shell.write(f"{name}.py", "raise RuntimeError('this is no module of Python')\n")
    shell.write("script.py", STEPS)

    done = shell("script.py", KALELITE_START=start)

    assert done.returncode == 0, done.stderr


def test_the_current_folder_is_searched_where_pythonpath_says_so(shell):
    shell.write("neighbour.py", "")
    (shell.folder / "scripts").mkdir()
    shell.write("scripts/script.py", f"import neighbour\n{STEPS}")

    done = shell("scripts/script.py", PYTHONPATH=str(shell.folder))

    assert done.returncode == 0, done.stderr


def test_a_step_that_ends_its_process_has_failed(shell):
    text = (
        "from os import _exit\nfrom kalelite import pipeline, step\n"
        "@step\ndef end():\n    _exit(0)\n@pipeline\ndef p():\n    end()\n"
    )
    shell.write("script.py", text)

    done = shell("script.py")

    assert done.returncode == 1
    assert "its process ended by itself with exit code 0" in done.stdout
