"""``kalelite book.ipynb``: cells run as IPython would run them."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("IPython", reason="needs IPython: pip install 'kalelite[notebook]'")
nbformat = pytest.importorskip(
    "nbformat", reason="needs nbformat: pip install 'kalelite[notebook]'"
)

IMPORTS = "from kalelite import pipeline, step"
STEPS = """\
@step
def double(x):
    print("doubling", x)
    return 2 * x
"""
FLOW = """\
@pipeline
def flow(n: int = 3):
    return double(n)
"""


def test_a_cell_that_calls_the_pipeline_decides_what_runs(shell, book):
    book(IMPORTS, STEPS, FLOW, "value = flow(n=4)", "print('RESULT', value)")

    done = shell("book.ipynb")

    assert done.returncode == 0, done.stderr
    assert "RESULT 8" in done.stdout
    assert "RESULT 10" in shell("book.ipynb", "-p", "n=5").stdout


def test_without_a_call_its_one_pipeline_runs_with_the_parameters(shell, book):
    book(IMPORTS, STEPS, FLOW)

    assert "double  6" in shell("book.ipynb").stdout
    assert "double  14" in shell("book.ipynb", "-p", "n=7").stdout
    assert "double  6" in shell("book.ipynb", "--debug").stdout


@pytest.mark.parametrize(
    "words", [["graph", "book.ipynb"], ["book.ipynb", "--graph"], ["check", "book.ipynb"]]
)
def test_a_notebook_is_looked_at_as_a_script_is(shell, book, words):
    book(IMPORTS, STEPS, FLOW)

    done = shell(*words)

    assert done.returncode == 0, done.stderr
    assert "flow" in done.stdout
    assert "succeeded" not in done.stdout


def test_a_notebook_compiles_into_a_file_named_from_here(shell, book):
    pytest.importorskip("kfp", reason="needs kfp: pip install 'kalelite[kfp]'")
    book(IMPORTS, STEPS, FLOW, name="inside/book.ipynb")

    done = shell("inside/book.ipynb", "--kfp", "--compile", "flow.yaml", timeout=110)

    assert done.returncode == 0, done.stderr
    assert "name: flow" in (shell.folder / "flow.yaml").read_text()


def test_a_notebook_has_a_dry_run(shell, book):
    pytest.importorskip("kfp", reason="needs kfp: pip install 'kalelite[kfp]'")
    book(IMPORTS, STEPS, FLOW)

    assert "Nothing was created" in shell("book.ipynb", "--kfp", "--dry-run", timeout=110).stdout


def test_magics_run_and_shell_lines_are_told(shell, book):
    book(
        "%%writefile helpers.py\nFACTOR = 5\ndef scale(x):\n    return x * FACTOR\n",
        f"{IMPORTS}\nimport helpers\n!echo never\nfiles = !ls\n%pip install nothing",
        "%%time\n@step\ndef scaled(x):\n    return helpers.scale(x)",
        "%%capture printed\nprint('hidden')",
        "@pipeline\ndef flow():\n    return scaled(2)",
        "import asyncio\nawait asyncio.sleep(0)",
        "print('RESULT', flow(), printed.stdout.strip(), get_ipython() is not None)",
    )

    done = shell("book.ipynb")

    assert "RESULT 10 hidden True" in done.stdout, done.stderr
    assert "\nnever" not in done.stdout
    for line, words in enumerate(["!echo never", "!ls", "%pip install nothing"], 3):
        assert f"Cell In[2], line {line}: not run: {words}" in done.stderr
    assert "\nnever" in shell("book.ipynb", "--run-shell").stdout.replace("\r", "")


def test_last_expressions_and_displayed_values_are_printed(shell, book):
    book(IMPORTS, STEPS, FLOW, "display('shown')", "40 + 2", "1 + 1;", "flow()")

    lines = shell("book.ipynb").stdout.splitlines()

    assert "'shown'" in lines
    assert "42" in lines
    assert "2" not in lines
    assert lines[-1] == "6"


def test_cells_tagged_skip_are_left_out(shell, book):
    book(IMPORTS, ("skip", "raise RuntimeError"), STEPS, FLOW)

    assert shell("book.ipynb").returncode == 0


@pytest.mark.parametrize(
    ("cells", "code", "parts"),
    [
        (["x = 1", "y = 2\nz = [1,"], 3, ["Cell In[2], line 2: SyntaxError", "2 | z = [1,"]),
        (
            ["x = 1", "", "def f():\n    return 1 / 0\n\nf()"],
            3,
            ["Cell In[2], line 4\n    4 | f()", "Cell In[2], line 2 in f", "ZeroDivisionError"],
        ),
        (
            [IMPORTS, "@step\ndef f(x):\n    return x / 0", "@pipeline\ndef flow():\n    f(1)"],
            1,
            ["Cell In[2], line 3 in f\n    3 | return x / 0", "ZeroDivisionError"],
        ),
        (
            [
                IMPORTS,
                "%%time\n@step\ndef f(x):\n    return x / 0",
                "@pipeline\ndef g():\n    f(1)",
            ],
            1,
            ["Cell In[2], line 4 in f\n    4 | return x / 0"],
        ),
        (
            [IMPORTS, STEPS, "@pipeline\ndef flow():\n    return double(1) + 1"],
            4,
            ["Cell In[3], line 3", "3 | return double(1) + 1", "^^^"],
        ),
        (["x = 1"], 4, ["book.ipynb defines no pipeline", "step:NAME"]),
        (["import sys", "sys.exit('no data')"], 3, ["Cell In[2], line 1", "no data"]),
        (["from nowhere import x"], 3, ["Cell In[1], line 1", "No module named 'nowhere'"]),
        (["%nothing"], 3, ["Cell In[1], line 1", "nothing"]),
    ],
)
def test_errors_name_the_cell_and_its_line(shell, book, cells, code, parts):
    book(*cells)

    done = shell("book.ipynb")

    assert done.returncode == code, done.stderr
    for part in parts:
        assert part in done.stdout + done.stderr


def test_paths_are_those_of_the_notebooks_folder(shell, book):
    (shell.folder / "sub").mkdir()
    (shell.folder / "sub" / "beside.py").write_text("NAME = 'beside'\n")
    (shell.folder / "sub" / "data.txt").write_text("data")
    book(
        f"{IMPORTS}\nimport beside",
        "text = open('data.txt').read()",
        "class Pair:\n    def __init__(self, a):\n        self.a = a",
        "@step\ndef read():\n    return Pair((beside.NAME, text, open('data.txt').read()))",
        "@step\ndef take(pair):\n    return isinstance(pair, Pair) and pair.a",
        "@pipeline\ndef flow():\n    return take(read())",
        "print('RESULT', flow())",
        name="sub/book.ipynb",
    )

    assert "RESULT ('beside', 'data', 'data')" in shell("sub/book.ipynb").stdout


def test_a_second_run_finds_its_results_again(shell, book):
    cells = [
        IMPORTS,
        "@step(cache=True)\ndef slow(n):\n    return n + 1",
        "@pipeline\ndef flow():\n    return slow(1)",
    ]
    book(*cells)
    shell("book.ipynb")
    book("# another cell before", *cells)

    assert "cached" in shell("book.ipynb").stdout


def test_an_executed_copy_has_the_outputs(shell, book):
    book(
        "# md\n# A title",
        IMPORTS,
        STEPS,
        "%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([1, 2]);",
        ("skip", "never"),
        "import sys\nprint('out')\nprint('err', file=sys.stderr)\n{'a': 1}",
        FLOW,
        "flow()",
    )

    done = shell("book.ipynb", "-o", "executed.ipynb")

    copy = nbformat.read(shell.folder / "executed.ipynb", as_version=4)
    nbformat.validate(copy)
    assert done.returncode == 0, done.stderr
    outputs = [cell.outputs for cell in copy.cells if cell.cell_type == "code"]
    assert [cell.get("execution_count") for cell in copy.cells] == [None, 1, 2, 3, None, 4, 5, 6]
    assert outputs[1][0].text == "doubling 3\n"
    assert "image/png" in outputs[2][0].data
    assert [o.get("name", o.output_type) for o in outputs[4]] == [
        "stdout",
        "stderr",
        "execute_result",
    ]
    assert "flow" in outputs[6][0].data["text/html"]
    assert outputs[6][-1].data["text/plain"] == "6"


def test_a_copy_is_written_of_a_notebook_that_fails(shell, book):
    book("print('first')", "1 / 0", "print('never')")

    assert shell("book.ipynb", "-o", "executed.ipynb").returncode == 3

    copy = nbformat.read(shell.folder / "executed.ipynb", as_version=4)
    nbformat.validate(copy)
    assert copy.cells[0].outputs[0].text == "first\n"
    assert copy.cells[1].outputs[0].ename == "ZeroDivisionError"
    assert copy.cells[2].outputs == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "is no notebook"),
        ("{}", "is not a notebook of version 4"),
        (json.dumps({"worksheets": [], "nbformat": 3}), "nbconvert"),
        (json.dumps({"cells": [], "metadata": {"kernelspec": {"language": "R"}}}), "in R"),
    ],
)
def test_files_that_are_no_notebooks_are_refused(shell, text, says):
    shell.write("book.ipynb", text)

    done = shell("book.ipynb")

    assert done.returncode == 3
    assert says in done.stderr


def test_a_missing_notebook_and_an_output_without_one_are_refused(shell):
    assert "there is no file book.ipynb" in shell("book.ipynb").stderr
    shell.write("script.py", "x = 1")
    assert "kalelite book.ipynb -o FILE" in shell("script.py", "-o", "x.ipynb").stderr
