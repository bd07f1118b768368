"""The notebooks that ship run from top to bottom in a real kernel."""

from __future__ import annotations

from pathlib import Path

import pytest

nbclient = pytest.importorskip(
    "nbclient", reason="needs nbclient: pip install 'kalelite[notebook]'"
)
nbformat = pytest.importorskip(
    "nbformat", reason="needs nbformat: pip install 'kalelite[notebook]'"
)
pytest.importorskip("ipykernel", reason="needs ipykernel: pip install 'kalelite[notebook]'")
pytest.importorskip("sklearn", reason="needs scikit-learn: pip install 'kalelite[examples]'")

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))


@pytest.mark.filterwarnings("ignore")  # the kernel's and the client's own
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_runs_from_top_to_bottom(path, tmp_path, monkeypatch):
    monkeypatch.setenv("KALELITE_HOME", str(tmp_path))
    notebook = nbformat.read(path, as_version=4)

    nbclient.NotebookClient(notebook, timeout=100, kernel_name="python3").execute()

    results = [
        output["data"]["text/plain"]
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if output.output_type == "execute_result"
    ]
    assert any("score  ← wine.x, wine.y  → scored" in text for text in results)
    assert results[2].startswith("(4, ")
    assert "depths <span" in notebook.cells[-1].outputs[0]["data"]["text/html"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_runs_by_the_command(path, shell):
    pytest.importorskip("IPython", reason="needs IPython: pip install 'kalelite[notebook]'")

    done = shell(path, "-o", "executed.ipynb", timeout=110, KALELITE_HOME=str(shell.folder))

    assert done.returncode == 0, done.stderr
    nbformat.validate(nbformat.read(shell.folder / "executed.ipynb", as_version=4))
