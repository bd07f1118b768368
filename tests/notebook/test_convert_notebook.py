"""``kalelite convert``: the script that a person would have written, with the same values."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest
from kale_notebooks import NOTEBOOKS

pytest.importorskip("IPython", reason="needs IPython: pip install 'kalelite[notebook]'")
pytest.importorskip("ruff", reason="needs ruff: pip install 'kalelite[notebook]'")


def results(text):
    return sorted(line[line.index("RESULT") :] for line in text.splitlines() if "RESULT" in line)


def is_formatted(path):
    """Whether ruff would leave it as it is, and black, where it is installed."""
    tools = [["ruff", "format", "--isolated", "--line-length", "88", "--check"]]
    if importlib.util.find_spec("black"):
        tools.append(["black", "--check"])
    done = [subprocess.run([sys.executable, "-m", *words, str(path)]) for words in tools]
    return not any(each.returncode for each in done)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_the_script_of_a_tagged_notebook_gives_its_values(shell, book, name):
    book(*NOTEBOOKS[name], kubeflow_notebook={"pipeline_name": name})
    shell("book.ipynb", timeout=110)
    right = results(shell("logs", "last").stdout)

    done = shell("convert", "book.ipynb", "-o", "script.py")

    assert done.returncode == 0, done.stderr
    assert is_formatted(shell.folder / "script.py")
    assert shell("script.py", timeout=110).returncode == 0
    assert right
    assert results(shell("logs", "last").stdout) == right


def test_the_script_reads_as_a_person_writes(shell, book):
    book(
        "# md\n# Sums\nNot a heading",
        ("imports", "import math"),
        ("pipeline-parameters", "N = 3"),
        "# md\n## Make numbers",
        (
            "step:make limit:cpu:1",
            "%matplotlib inline\n# from one on\nxs = [i + 1 for i in range(N)]",
        ),
        ("step:add prev:make", 'text = """\nsum\n"""\ntotal = math.fsum(xs)\ntotal'),
        kubeflow_notebook={"pipeline_name": "sums", "pipeline_description": "Sums numbers"},
    )

    script = shell("convert", "book.ipynb").stdout

    assert (
        script
        == '''"""Sums numbers"""

import math
from kalelite import pipeline, step


# Make numbers
@step(limits={"cpu": 1})
def make(N):
    # %matplotlib inline
    # from one on
    xs = [i + 1 for i in range(N)]
    return xs


@step
def add(xs):
    text = """
sum
"""
    total = math.fsum(xs)
    print(total)
    return text, total


@pipeline
def sums(N: int = 3):
    """Sums numbers"""
    xs = make(N)
    text, total = add(xs)


if __name__ == "__main__":
    sums()
'''
    )


def test_a_notebook_with_decorators_is_joined(shell, book):
    book(
        "# md\n# A title\nand words",
        "%matplotlib inline\nfrom kalelite import pipeline, step",
        "@step\ndef double(x):\n    return 2 * x\n",
        "!pip install pandas\ndouble(2)  # the plain function",
        "@pipeline\ndef flow(n=3):\n    return double(n)",
        "value = flow()\nprint('RESULT', value)",
        ("skip", "never"),
        "value",
    )

    done = shell("convert", "book.ipynb", "-o", "script.py")

    assert done.returncode == 0, done.stderr
    text = (shell.folder / "script.py").read_text()
    assert text.startswith(
        "# A title\n\n# %matplotlib inline\nfrom kalelite import pipeline, step\n"
    )
    assert "# !pip install pandas\n" in text
    assert "never" not in text
    assert text.endswith("print(value)\n")
    assert is_formatted(shell.folder / "script.py")
    assert "RESULT 6" in shell("script.py").stdout


STEP_CELLS = (
    "# md\n# Sums",
    "import math\nfrom kalelite import Retries, pipeline\n%load_ext kalelite",
    "def double(x):\n    return 2 * x\n\n\nhalf = lambda x: x / 2\nstart = 1",
    "%%step load memory=1Gi retries=Retries(2, wait='1s')\n# from the start on\n"
    "x = list(range(start, n))\ny = double(half(math.floor(2.5)))",
    "%%step total -o x\nx = (\n    x + [y]\n)\nprint('RESULT', x)",
    "@pipeline\ndef study(n: int = 3):\n    x, y = load(start, n)\n    return total(x, y)",
    "study(n=4)",
)


def test_cells_under_step_become_functions(shell, book):
    book(*STEP_CELLS)

    done = shell("convert", "book.ipynb", "-o", "script.py")

    assert done.returncode == 0, done.stderr
    text = (shell.folder / "script.py").read_text()
    assert text.startswith("# Sums\n\nfrom kalelite import step\n\nimport math\n")
    assert (
        """
@step(memory="1Gi", retries=Retries(2, wait="1s"))
def load(start, n):
    # from the start on
    x = list(range(start, n))
    y = double(half(math.floor(2.5)))
    return x, y


@step
def total(x, y):
    x = x + [y]
    print("RESULT", x)
    return x
"""
        in text
    )
    assert is_formatted(shell.folder / "script.py")
    for program in ("script.py", "book.ipynb"):
        assert "RESULT [1, 2, 3, 2.0]" in shell(program).stdout


@pytest.mark.parametrize("tags", ["", "step:a"])
def test_what_is_timed_is_kept_and_what_only_looks_is_a_comment(shell, book, tags):
    book((tags, "%time x = 1\n%timeit x\nfiles = 2\nx"))

    lines = shell("convert", "book.ipynb").stdout.splitlines()

    body = [line.strip() for line in lines if "x" in line or "files" in line]
    assert body[: body.index("print(x)") + 1] == ["x = 1", "# %timeit x", "files = 2", "print(x)"]


def test_statements_that_share_a_line_are_all_in_the_script(shell, book):
    book(
        ("imports", "import math; start = 1; start += 1"),
        ("step:a", "%matplotlib inline\nimport random as r; r.seed(1); x = r.random(); y = start"),
        ("step:b", "s = 'ä'; x = [x]; print('RESULT', x, y, s); (x,\n y)"),
    )
    shell("book.ipynb")
    right = results(shell("logs", "last").stdout)

    assert shell("convert", "book.ipynb", "-o", "script.py").returncode == 0

    assert shell("script.py").returncode == 0
    assert right
    assert results(shell("logs", "last").stdout) == right


def test_a_cell_that_is_no_step_is_not_converted(shell, book):
    book("%load_ext kalelite", "%%step a\nx = 1\nfiles = !ls")

    done = shell("convert", "book.ipynb")

    assert done.returncode == 4
    assert "Cell In[2], line 3: a magic cannot be in a step" in done.stderr


def test_a_script_cannot_await(shell, book):
    book("import asyncio\nasync def f():\n    await asyncio.sleep(0)", "x = 1\nawait f()")

    done = shell("convert", "book.ipynb")

    assert done.returncode == 4
    assert "Cell In[2], line 2: only a notebook can await" in done.stderr
    assert "Write asyncio.run(...) around it." in done.stderr


def test_only_notebooks_are_converted(shell):
    assert "is no notebook" in shell("convert", "script.py").stderr
