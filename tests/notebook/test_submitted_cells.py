"""A run on Kubeflow Pipelines from a notebook: it shows itself live, and can be asked and cancelled."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "backends" / "kubeflow"))
from kfp_server import DONE, SCRIPT, Frame, serving, step

sys.path.pop(0)

nbclient = pytest.importorskip(
    "nbclient", reason="needs nbclient: pip install 'kalelite[notebook]'"
)
nbformat = pytest.importorskip(
    "nbformat", reason="needs nbformat: pip install 'kalelite[notebook]'"
)
pytest.importorskip("ipykernel", reason="needs ipykernel: pip install 'kalelite[notebook]'")
pytest.importorskip("kfp", reason="needs kfp: pip install 'kalelite[kfp]'")
pytestmark = pytest.mark.filterwarnings("ignore")  # the kernel's and the client's own


@pytest.fixture
def run_cells(tmp_path, monkeypatch):
    """Run cells in a kernel that reaches a small API; what each of them gave."""

    def run(frames, *cells):
        with serving() as server:
            server.script = frames
            monkeypatch.setenv("KALELITE_KFP_HOST", server.host)
            monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
            monkeypatch.setenv("KALELITE_HOME", str(tmp_path))
            book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
            nbclient.NotebookClient(book, timeout=100, allow_errors=True).execute()
            return server, [cell.outputs for cell in book.cells]

    return run


def displays(outputs):
    return [output["data"] for output in outputs if output.output_type == "display_data"]


def test_a_run_shows_itself_live_and_is_waited_for(run_cells):
    frames = [Frame("RUNNING", step("make", "Running", at=5)), Frame("SUCCEEDED", DONE)]

    _, (_, shown, waited, state) = run_cells(
        frames, SCRIPT, "run = chain.submit(n=5)\nrun", "run.wait()", "run.state"
    )

    (live,) = displays(shown)
    assert "✓ succeeded" in live["text/html"]
    assert "data:image/svg+xml" in live["text/html"]
    # The cell above goes on to show it; here is only the run as it is at the end.
    assert [output.output_type for output in waited] == ["display_data"]
    assert "✓ succeeded" in waited[0]["data"]["text/html"]
    assert state[0]["data"]["text/plain"] == "'succeeded'"


def test_without_being_shown_it_is_shown_where_it_is_waited_for(run_cells):
    _, (_, shown, waited) = run_cells(
        [Frame("SUCCEEDED", DONE)], SCRIPT, "run = chain.submit()", "run.wait();"
    )

    assert displays(shown) == []
    assert "✓ succeeded" in displays(waited)[0]["text/html"]


def test_it_is_cancelled_from_another_cell(run_cells):
    running = Frame("RUNNING", step("make", "Running", at=5))

    server, (_, shown, ended) = run_cells(
        [running], SCRIPT, "run = chain.submit()\nrun", "run.cancel()\nrun.wait()"
    )

    assert "cancelled" in displays(shown)[0]["text/html"]
    assert ended[-1].ename == "StepError"
