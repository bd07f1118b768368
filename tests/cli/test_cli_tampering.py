"""Scripts that change Python itself: they run, or are told what they did."""

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
        "import sys; sys.path.clear()",
        "import sys; sys.path = None",
        "import sys; sys.path = [entry for entry in sys.path if 'site-packages' in entry]",
        "import sys, pathlib; sys.path.append(pathlib.Path('lib'))",
        "import sys; sys.argv = None",
        "import sys; sys.setrecursionlimit(60)",
        "import sys; sys.stdout = sys.stderr = None",
        "import os; os.environ.clear()",
        "import os; os.umask(0o777)",
        "import builtins; builtins.open = builtins.print = None",
        "import warnings; warnings.simplefilter('error')",
        "import time; time.time = time.monotonic = lambda: 0.0",
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))",
    ],
)
def test_a_pipeline_runs_whatever_its_script_did_before(shell, line):
    shell.write("script.py", f"{STEPS}\n{line}\n")

    done = shell("script.py")

    assert done.returncode == 0
    assert "✓ p succeeded" in done.stdout
    assert done.stderr == ""


def test_a_script_without_a_path_may_end_before_its_pipeline(shell):
    shell.write("script.py", "import sys\nsys.path = None\nsys.exit(3)\n")

    done = shell("script.py")

    assert "script.py ended with sys.exit(3) before a pipeline ran" in done.stderr
    assert "internal error" not in done.stderr


def test_a_module_of_python_that_was_changed_is_named_with_the_line(shell):
    shell.write("script.py", f"{STEPS}import json\njson.dumps = None\n")

    done = shell("script.py")

    assert done.returncode == 3
    head, source, caret, hint = done.stderr.splitlines()
    assert "script.py changes json.dumps, which kalelite needs as Python has it" in head
    assert source.endswith("json.dumps = None")
    assert source[caret.index("^") : caret.rindex("^") + 1] == "json.dumps"
    assert "put it back before the pipeline runs" in hint


@pytest.mark.parametrize("line", ["builtins.__import__ = None", "sys.modules.clear()"])
def test_what_leaves_too_little_of_python_is_still_told_in_words(shell, line):
    shell.write("script.py", f"{STEPS}\nimport builtins, sys\n{line}\n")

    done = shell("script.py")

    assert done.returncode == 1
    assert done.stderr.startswith("internal error: ")
    assert "Traceback" not in done.stderr


def test_a_folder_that_the_script_removes_is_told_before_a_step_starts(shell):
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
