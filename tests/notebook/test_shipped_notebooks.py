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
for library in ("sklearn", "pandas", "matplotlib"):
    pytest.importorskip(library, reason=f"needs {library}: pip install 'kalelite[test]'")

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))


@pytest.mark.filterwarnings("ignore")  # the kernel's and the client's own
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_runs_from_top_to_bottom(path, tmp_path, monkeypatch):
    monkeypatch.setenv("KALELITE_HOME", str(tmp_path))
    notebook = nbformat.read(path, as_version=4)

    nbclient.NotebookClient(notebook, timeout=100, kernel_name="python3").execute()

    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    pages = "".join(output.get("data", {}).get("text/html", "") for output in outputs)
    assert "✗ failed" not in pages
    if path.name == "wine.ipynb":
        assert "✓ succeeded" in pages
        assert "4 of 4" in pages  # the items of the loop
        assert "<summary style='cursor:pointer'>report.confusion</summary>" in pages


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_runs_by_the_command(path, shell):
    pytest.importorskip("IPython", reason="needs IPython: pip install 'kalelite[notebook]'")

    done = shell(path, "-o", "executed.ipynb", timeout=110, KALELITE_HOME=str(shell.folder))

    assert done.returncode == 0, done.stderr
    nbformat.validate(nbformat.read(shell.folder / "executed.ipynb", as_version=4))
