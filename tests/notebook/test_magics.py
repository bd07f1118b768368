"""``%load_ext kalelite``: the command's verbs as a magic, and cells as steps."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("IPython", reason="needs IPython: pip install 'kalelite[notebook]'")

START = """
import sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
for cell in sys.stdin.read().split("\\n---\\n"):
    result = shell.run_cell(cell, store_history=True).result
    if result is not None:
        print("VALUE", result)
"""

TOP = """
import math
from kalelite import Retries, pipeline
%load_ext kalelite
class Model:
    def __call__(self, x):
        return 3 * x
def double(x):
    return 2 * x
model = Model()
"""
STUDY = "@pipeline\ndef study(n: int = 3):\n    x, y = load(n)\n    return total(x, y)"
LOAD = "%%step load\nx = list(range(n))\ny = double(math.floor(2.5))"
TOTAL = "%%step total\nx = (\n    x + [y]\n)\nprint('sum', sum(x))"


def in_a_session(tmp_path, cells):
    path = tmp_path / "session.py"
    path.write_text(START)
    done = subprocess.run(
        [sys.executable, str(path)],
        input="\n---\n".join(cells),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        env={"IPYTHONDIR": str(tmp_path / "ipython"), "PATH": "/usr/bin:/bin"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_verbs_are_there_after_load_ext(tmp_path):
    cells = [
        "from kalelite import pipeline, step\nshell = get_ipython()",
        "@step\ndef load(n):\n    print('loading', n)\n    return n",
        "@pipeline\ndef study(n: int = 3):\n    return load(n)",
        "'kalelite' in shell.magics_manager.magics['line']",
        "%load_ext kalelite",
        "study(n=4)",
        "%kalelite logs last load",
        "%kalelite graph study",
        "%kalelite show",
        "'show' in shell.complete('', '%kalelite sh')[1]",
        "shell.complete('', '%kalelite show ')[1][:1]",
        "shell.complete('', '%kalelite graph ')[1]",
        "from IPython.core.completer import provisionalcompleter as as_a_kernel\n"
        "with as_a_kernel():\n"
        "    found = [*shell.Completer.completions('%kalelite graph ', 16)]\n"
        "[one.text for one in found]",
        "%kalelite runs",
        "%kalelite resume",
    ]

    printed = in_a_session(tmp_path, cells)

    values = [line.removeprefix("VALUE ") for line in printed.splitlines() if "VALUE" in line]
    assert values[:3] == ["False", "4", "<pipeline study>"]
    assert values[3].startswith("Run(")
    assert values[4:] == ["True", "['last']", "['study']", "['study']", "4"]
    assert "loading 4" in printed
    assert "study" in printed[printed.index("['study']") :]


def test_cells_are_steps_that_take_their_free_names_and_return_what_they_assign(tmp_path):
    printed = in_a_session(tmp_path, [TOP, LOAD, TOTAL, STUDY, "study(n=4)"])

    assert "step load(n) -> x, y\n" in printed
    assert "step total(x, y) -> x\n" in printed
    assert "VALUE [0, 1, 2, 3, 4]" in printed


def test_a_step_that_is_defined_anew_is_the_one_that_runs(tmp_path):
    again = "%%step load\nx, y = [n], 7"
    printed = in_a_session(tmp_path, [TOP, LOAD, TOTAL, STUDY, again, "study(n=4)"])

    assert "VALUE [4, 7]" in printed


def test_an_error_in_a_step_names_the_cell_and_its_line(tmp_path):
    wrong = "%%step load\nx, y = [n], 7\n\n1 / (n - n)"
    printed = in_a_session(tmp_path, [TOP, wrong, TOTAL, STUDY, "study(n=4)"])

    assert "Cell In[2], line 4, in load\n    1 / (n - n)\n" in printed


def test_inputs_outputs_and_options_of_a_cell_can_be_given(tmp_path):
    step = "%%step fit retries=Retries(2, wait='1s') memory=1Gi env={'A': 'b c'} -i n -o best\n"
    loop = "for i in range(n):\n    best = model(i)"
    options = "given = fit.definition.options\n[given.retries.count, given.memory, given.env]"
    printed = in_a_session(tmp_path, [TOP, step + loop, "fit(3)", options])

    assert "step fit(n) -> best\n" in printed
    assert "VALUE 6" in printed
    assert "VALUE [2, '1Gi', {'A': 'b c'}]" in printed


def test_a_value_that_can_be_called_is_an_input_and_a_cell_may_return_nothing(tmp_path):
    printed = in_a_session(tmp_path, [TOP, "%%step show\n_y = model(x)\nprint(_y)"])

    assert "step show(model, x) -> nothing\n" in printed


MISTAKES = [
    ("%%step\nx = 1", "line 1: %%step has no name"),
    ("%%step class\nx = 1", "line 1: %%step cannot name a step 'class'"),
    ("%%step a -q\nx = 1", "line 1: %%step does not know '-q'"),
    ("%%step a -o\nx = 1", "line 1: %%step -o needs names"),
    ("%%step a memory=[1\nx = 1", "line 1: %%step cannot read memory=[1: '[' was never closed"),
    ("%%step a memry=1\nx = 1", "line 1: 'memry' is not an option of a step"),
    ("%%step a memory=lots\nx = 1", "line 1: memory='lots' is not a quantity"),
    ("%%step a -i z\nx = 1", "line 1: -i z: the cell does not read it"),
    ("%%step a -o z\nx = 1", "line 1: -o z: the cell does not assign it"),
    ("%%step a\n# x = 1", "line 1: the cell of %%step is empty"),
    ("%%step a\nx = 1\nfrom math import *", "line 3: a step cannot import *"),
    ("%%step a\nx = 1\nfiles = !ls", "line 3: a magic cannot be in a step\n  3 | files = !ls"),
    ("%%step a\ndef f():\n    global x\nx = 1", "line 3: a step has no global names"),
    ("%%step a\nx = (", "line 2: SyntaxError: '(' was never closed"),
    ("%%step a\nx = 1\nreturn x", "line 3: SyntaxError: 'return' outside function"),
    ("%%step a\ny = 1\nmath = math.pi", "line 3: 'math' is read before it is assigned"),
    ("%%step a -i y\nx = x + y", "line 2: 'x' is read before it is assigned"),
    (
        "%%step a\nif n:\n    x = 1",
        "line 3: 'x' is assigned under a condition or in a loop only",
    ),
]


def test_mistakes_are_told_with_their_line_and_leave_the_step_as_it_was(tmp_path):
    cells = [TOP, "%%step a\nprint('before')", *(cell for cell, _ in MISTAKES), "a()"]
    printed = in_a_session(tmp_path, cells)

    for number, (_, error) in enumerate(MISTAKES, 3):
        assert f"Cell In[{number}], {error}" in printed
    assert printed.rstrip().endswith("before")
