"""Kale's ``notebook:NAME`` cells: the steps of another notebook as a pipeline of their own."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("IPython", reason="needs IPython: pip install 'kalelite[notebook]'")
nbformat = pytest.importorskip(
    "nbformat", reason="needs nbformat: pip install 'kalelite[notebook]'"
)


def refer(path, *names):
    """Tell the cells tagged with notebooks where these are, as Kale's panel does."""
    document = json.loads(path.read_text("utf-8"))
    for cell in document["cells"]:
        for tag in cell["metadata"].get("tags", ()):
            if tag.startswith("notebook:") and tag.partition(":")[2] in names:
                cell["metadata"]["notebook_path"] = f"./{tag.partition(':')[2]}.ipynb"
    path.write_text(json.dumps(document), "utf-8")


@pytest.fixture
def composed(book):
    """A notebook that trains with two others, which share names only."""
    book(
        ("imports", "import math\nprint('RESULT imports of data')"),
        ("pipeline-parameters", "size = 4\nscale = 2"),
        ("functions", "def scaled(n):\n    return n * scale"),
        ("step:load", "rows = [scaled(n) for n in range(size)]"),
        ("step:clean prev:load", "dataset = [math.sqrt(n) for n in rows]\nsize_of = len(dataset)"),
        name="data.ipynb",
    )
    book(
        ("pipeline-parameters", "scale = 10"),
        ("step:load", "model = sum(dataset) * scale * rounds\nprint('RESULT', round(model, 3))"),
        ("pipeline-metrics", "print(size_of)"),
        name="fit.ipynb",
        kubeflow_notebook={"base_image": "fitting:1"},
    )
    path = book(
        ("pipeline-parameters", "rounds = 3\nsize = 5"),
        ("notebook:fit limit:cpu:1", "# Kale's panel writes a comment"),
        ("notebook:data", ""),
        "label = 'held for the next step'",
        ("step:final", "print('RESULT', label, round(model, 3))"),
        name="main.ipynb",
    )
    refer(path, "fit", "data")
    return path


def results(text):
    return [line[line.index("RESULT") :] for line in text.splitlines() if "RESULT" in line]


def test_data_flow_between_notebooks_whatever_their_order(shell, composed):
    done = shell("main.ipynb", "-o", "executed.ipynb")

    assert done.returncode == 0, done.stderr
    model = 10 * 3 * sum((2 * n) ** 0.5 for n in range(5))
    printed = results(shell("logs", "last").stdout)
    assert printed == [
        f"RESULT {round(model, 3)}",
        f"RESULT held for the next step {round(model, 3)}",
    ]
    copy = nbformat.read(shell.folder / "executed.ipynb", as_version=4)
    nbformat.validate(copy)
    outputs = ["".join(o.get("text", "") for o in cell.outputs) for cell in copy.cells]
    assert f"RESULT {round(model, 3)}\n" in outputs[1]
    assert "RESULT imports of data" in outputs[2]


def test_each_notebook_is_a_pipeline_in_the_picture(shell, composed):
    done = shell("graph", "main.ipynb")
    drawn = done.stdout

    assert "the tag 'limit:cpu:1' of the cell notebook:fit has no effect" in done.stderr
    assert drawn.index("─ data") < drawn.index("─ fit") < drawn.index("─ final")
    assert "rounds: int = 3" in drawn
    assert "scale" not in drawn  # each has that to itself
    assert "data-load" in drawn
    assert "[fitting:1]" in drawn


def test_the_pipelines_parameters_are_those_of_all(shell, composed):
    assert (
        "RESULT 68.284" in shell("main.ipynb", "-p", "size=3", "-p", "rounds=2", "--debug").stdout
    )


def test_the_script_gives_the_same_values(shell, composed):
    assert shell("convert", "main.ipynb", "-o", "main.py").returncode == 0
    text = (shell.folder / "main.py").read_text()

    assert "def data(size, scale: int = 2):" in text
    shell("main.ipynb")
    right = results(shell("logs", "last").stdout)
    done = shell("main.py")

    assert done.returncode == 0, done.stderr
    assert results(shell("logs", "last").stdout) == right


def test_it_compiles_to_graphs_in_a_graph(shell, composed):
    pytest.importorskip("kfp", reason="needs kfp: pip install 'kalelite[kfp]'")

    done = shell("main.ipynb", "--kfp", "--compile", "main.yaml", timeout=110)

    assert done.returncode == 0, done.stderr
    assert "fitting:1" in (shell.folder / "main.yaml").read_text()


def test_own_steps_run_as_the_notebook_reads(shell, book):
    book(("step:write", "open('made', 'w').write('x')"), name="writes.ipynb")
    path = book(
        ("step:before", "import os\nassert not os.path.exists('made')"),
        ("notebook:writes", ""),
        ("step:after", "import os\nassert os.path.exists('made')"),
        name="main.ipynb",
    )
    refer(path, "writes")

    assert shell("main.ipynb").returncode == 0


def test_an_error_names_the_notebook(shell, book):
    book(("step:a", "x = 1"), ("step:b", "y = x\ny.foo"), name="fails.ipynb")
    refer(book(("notebook:fails", ""), name="main.ipynb"), "fails")

    done = shell("main.ipynb")

    assert done.returncode == 1
    assert "Cell In[2] of fails, line 2 in b\n    2 | y.foo" in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        ([("notebook:other", "")], "notebook:other is the tag of a cell without a path"),
        ([("notebook:none", "")], "notebook:none cannot be had: there is no file"),
        ([("notebook:plain", "")], "notebook:plain has no steps"),
        ([("notebook:nests", "")], "notebook:other is in a notebook to which another one refers"),
        ([("notebook:one", ""), ("notebook:one", "")], "is the tag of two cells"),
        ([("notebook:one", "x = 1")], "In[1], line 1: notebook:one is the tag of a cell with code"),
        ([("notebook:one", ""), "x = 1"], "Cell In[1], line 1: the cell is of no step"),
        (
            [("step:a", "x"), ("notebook:one", "")],
            "step 'a' reads 'x', which nothing above it sets",
        ),
        (
            [("functions", "def f():\n    return 2"), ("notebook:one", "")],
            "Cell In[1] of one, line 1: f is also defined, differently, at Cell In[1], line 1",
        ),
    ],
)
def test_mistakes_are_named(shell, book, cells, says):
    book("x = 1", name="plain.ipynb")
    book(("functions", "def f():\n    return 1"), ("step:a", "x = f()"), name="one.ipynb")
    nests = book(("step:a", "x = 1"), ("notebook:other", ""), name="nests.ipynb")
    refer(nests, "other")
    refer(book(*cells, name="main.ipynb"), "none", "plain", "nests", "one")

    done = shell("main.ipynb")

    assert done.returncode == 4, done.stderr
    assert says in " ".join((done.stdout + done.stderr).split())
