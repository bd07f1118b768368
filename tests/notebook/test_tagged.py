"""Kale's tagged notebooks run as they are."""

from __future__ import annotations

import pytest
from kale_notebooks import NOTEBOOKS, TAXI

pytest.importorskip("IPython", reason="needs IPython: pip install 'kalelite[notebook]'")
nbformat = pytest.importorskip(
    "nbformat", reason="needs nbformat: pip install 'kalelite[notebook]'"
)
nbclient = pytest.importorskip(
    "nbclient", reason="needs nbclient: pip install 'kalelite[notebook]'"
)


def results(text):
    return [line[line.index("RESULT") :] for line in text.splitlines() if "RESULT" in line]


@pytest.fixture
def from_top_to_bottom(shell):
    """The lines with RESULT of a notebook that a kernel runs, without what is skipped."""

    def run(path):
        book = nbformat.read(path, as_version=4)
        for cell in book.cells:
            if "skip" in cell.metadata.get("tags", ()) or cell.source.startswith("!"):
                cell.source = ""
        nbclient.NotebookClient(book, timeout=100, kernel_name="python3").execute()
        outputs = [output for cell in book.cells for output in cell.get("outputs", ())]
        return results("".join(output.get("text", "") for output in outputs))

    return run


@pytest.mark.filterwarnings("ignore")  # the kernel's and the client's own
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_the_values_are_those_of_the_notebook(shell, book, from_top_to_bottom, name):
    path = book(*NOTEBOOKS[name], kubeflow_notebook={"pipeline_name": name, "volumes": []})

    done = shell("book.ipynb", timeout=110)

    assert done.returncode == 0, done.stderr
    right = from_top_to_bottom(path)
    assert right
    assert sorted(results(shell("logs", "last").stdout)) == sorted(right)


def test_the_plan_is_that_of_steps(shell, book):
    book(*NOTEBOOKS["titanic"], kubeflow_notebook={"pipeline_name": "titanic-ml"})

    drawn = " ".join(shell("graph", "book.ipynb").stdout.split())

    assert "titanic-ml (6 steps)" in drawn
    assert "loaddata → LABEL, rows, test_rows" in drawn
    assert "means ← features.x → acc_means" in drawn
    assert "zeros ← features.y → acc_zeros" in drawn
    assert "results ← means.acc_means, zeros.acc_zeros → results" in drawn


def test_parameters_come_from_the_command_line(shell, book):
    book(*NOTEBOOKS["candies"])

    done = shell("book.ipynb", "-p", "CANDIES=6", "--debug")

    assert "RESULT bag of 6" in done.stdout
    assert "RESULT 2 1 1" in done.stdout


def test_papermills_tag_makes_parameters_too(shell, book):
    book(("parameters", "N = 1"), ("step:a", "print('RESULT', N)"))

    assert "RESULT 5" in shell("book.ipynb", "-p", "N=5", "--debug").stdout


def test_options_of_tags_and_metadata_reach_the_compiled_pipeline(shell, book):
    pytest.importorskip("kfp", reason="needs kfp: pip install 'kalelite[kfp]'")
    settings = {
        "pipeline_name": "taxicab",
        "pipeline_description": "Fares",
        "experiment_name": "Taxicab",
        "docker_image": "docker.io/library/taxi:1",
        "steps_defaults": ["label:access:true"],
        "volumes": [
            {"name": "claim", "mount_point": "/data", "type": "pvc"},
            {"name": "workspace", "mount_point": "/home", "type": "clone"},
        ],
    }
    book(*TAXI, kubeflow_notebook=settings)

    done = shell("book.ipynb", "--kfp", "--compile", "taxi.yaml", timeout=110)

    assert done.returncode == 0, done.stderr
    compiled = (shell.folder / "taxi.yaml").read_text()
    for part in ["taxicab", "docker.io/library/taxi:1", "claim", "http://x", "access", "Fares"]:
        assert part in compiled
    assert "the volume workspace of the notebook's metadata" in done.stderr


def test_outputs_are_written_into_the_cells_of_the_steps(shell, book):
    book(*NOTEBOOKS["candies"])

    shell("book.ipynb", "-o", "executed.ipynb")

    copy = nbformat.read(shell.folder / "executed.ipynb", as_version=4)
    nbformat.validate(copy)
    assert copy.cells[3].outputs[0].text == "RESULT bag of 20\n"


@pytest.mark.parametrize(
    ("cells", "code", "says"),
    [
        ([("step:a", "x = 1\ny = missing")], 4, "Cell In[1], line 2: step 'a' reads 'missing'"),
        ([("step:a", "x = 1"), ("step:b", "x\nx / 0")], 1, "Cell In[2], line 2 in b"),
        (
            [("step:a", "x = 1"), ("", "y = 2"), ("", "z = 3\nz.foo")],
            1,
            "Cell In[3], line 2 in a\n    2 | z.foo",
        ),
        ([("step:a prev:b", "x = 1")], 4, "there is no step 'b'"),
        ([("step:a", "x = 1"), ("step:b prev:a prev:c", "x"), ("step:c", "1")], 4, "below it"),
        ([("pipeline-parameters", "N = open('x')"), ("step:a", "N")], 4, "no pipeline parameter"),
        ([("step:a", "x = 1\ndel x"), ("step:b", "print(x)")], 4, "Step 'a' has deleted it"),
        ([("skip", "x = 1"), ("step:b", "print(x)")], 4, "tagged skip sets it"),
        ([("step:a", "%run other.py")], 4, "the magic %run cannot run in a step"),
        ([("pipeline-parameters", "for N in (1,): pass"), ("step:a", "1")], 4, "a cell of its own"),
        ([("step:a", "x = (1")], 3, "Cell In[1], line 1: SyntaxError"),
        ([("step:a limit:what:2", "x = 1")], 4, "Cell In[1], line 1"),
        ([("step:a cache:maybe", "x = 1")], 4, "Write cache:enabled or cache:disabled"),
        ([("step:a secret:name:key", "x = 1")], 4, "Write secret:NAME:KEY:VARIABLE"),
        ([("step:a label:team", "x = 1")], 4, "Write label:KEY:VALUE"),
    ],
)
def test_mistakes_are_named_by_cell_and_line(shell, book, cells, code, says):
    book(*cells)

    done = shell("book.ipynb")

    assert done.returncode == code, done.stderr
    assert says in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        ([("step:a", "x = eval('1')")], "Cell In[1], line 1: eval() may use names"),
        (
            [("step:a", "import random\nrandom.seed(1)")],
            "Cell In[1], line 2: this sets the process",
        ),
        ([("stepp:a", "1"), ("step:b", "x = 1")], "the tag 'stepp:a' has no effect"),
        ([("imports image:x", "1"), ("step:b", "x = 1")], "the tag 'image:x' has no effect: it is"),
        (
            [("step:a", "x = 1"), ("step:b prev:a", "x = 2"), ("step:c prev:a", "print(x)")],
            "x is that of step 'a', as the prev: tags say",
        ),
        (
            [("step:a", "if len('ab') > 1:\n    x = 1"), ("step:b", "print(x)")],
            "x is set under a condition only",
        ),
        ([("step:a", "!rm x\nx = 1")], "Cell In[1], line 1: not run: !rm x"),
        (
            [("pipeline-parameters", "print('set up')\nN = 1\nprint(f'{N=}')"), ("step:a", "N")],
            "Cell In[1], line 1: of the cell of the parameters, steps get the values",
        ),
        (
            [("pipeline-parameters", "N = 1"), ("functions", "M = N + 1"), ("step:a", "M")],
            "the top reads",
        ),
    ],
)
def test_what_cannot_be_known_is_noted(shell, book, cells, says):
    book(*cells)

    done = shell("book.ipynb")

    assert done.returncode == 0, done.stderr
    assert says in done.stderr
