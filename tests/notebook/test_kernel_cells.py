"""Pipelines in the cells of a real kernel: runs, errors, edits, interrupts."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import time

import pytest

nbclient = pytest.importorskip(
    "nbclient", reason="needs nbclient: pip install 'kalelite[notebook]'"
)
nbformat = pytest.importorskip(
    "nbformat", reason="needs nbformat: pip install 'kalelite[notebook]'"
)
pytest.importorskip("ipykernel", reason="needs ipykernel: pip install 'kalelite[notebook]'")

pytestmark = pytest.mark.filterwarnings("ignore")  # the kernel's and the client's own

FIRST = "import os\nfrom kalelite import pipeline, step"
STUDY = """\
@step
def load(n):
    print("loading", n)
    return list(range(n))
"""
TRAIN = """\
@step
def train(rows):
    first = rows[0]

    return 10 / first
"""
FLOW = """\
@pipeline
def study(n: int = 3):
    return train(load(n))
"""


class Cell:
    """What the front end has of a cell that was run."""

    def __init__(self, cell):
        self.outputs = cell.outputs

    def all(self, kind):
        return [output for output in self.outputs if output.output_type == kind]

    @property
    def value(self):
        return self.all("execute_result")[0]["data"]["text/plain"]

    @property
    def live(self):
        (display,) = self.all("display_data")
        return display["data"]

    @property
    def error(self):
        (error,) = self.all("error")
        return error

    @property
    def printed(self):
        return "".join(output.text for output in self.all("stream"))


class Kernel:
    """A kernel, in a folder."""

    def __init__(self, client, folder):
        self.client, self.folder = client, folder

    def __call__(self, source):
        cell = nbformat.v4.new_code_cell(source)
        self.client.nb.cells.append(cell)
        self.client.execute_cell(cell, len(self.client.nb.cells) - 1)
        return Cell(cell)


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """Start kernels; they end with the module."""
    open_now = []

    def begin(folder=None):
        folder = folder or tmp_path_factory.mktemp("kernel")
        client = nbclient.NotebookClient(
            nbformat.v4.new_notebook(),
            timeout=100,
            allow_errors=True,
            resources={"metadata": {"path": str(folder)}},
        )
        setup = client.setup_kernel()
        setup.__enter__()
        open_now.append(setup)
        return Kernel(client, folder)

    yield begin
    for setup in open_now:
        setup.__exit__(None, None, None)


@pytest.fixture(scope="module")
def kernel(start):
    started = start()
    for cell in (FIRST, STUDY, TRAIN, FLOW):
        started(cell)
    return started


def test_a_failed_step_shows_the_cell_the_line_and_what_it_printed(kernel):
    done = kernel("study()")

    assert "Cell In[3], line 5" in done.live["text/html"]
    assert "return 10 / first" in done.live["text/html"]
    assert "loading 3" in done.live["text/html"]
    assert "Cell In[3], line 5 in train" in done.live["text/plain"]
    assert done.error.ename == "ZeroDivisionError"
    traceback = "\n".join(done.error.traceback)
    assert "Cell In[3], line 5, in train" in traceback
    assert "ipykernel" not in traceback + done.live["text/html"]
    assert "kalelite/" not in traceback


def test_a_step_is_what_a_later_cell_makes_of_it(kernel):
    kernel("@step\ndef train(rows):\n    return sum(rows)")

    assert kernel("study(n=4)").value == "6"
    kernel(TRAIN)


def test_a_running_event_loop_is_in_nobodys_way(kernel):
    kernel("import asyncio\n@step\ndef train(rows):\n    return len(rows)")

    assert kernel("await asyncio.sleep(0)\nstudy()").value == "3"
    assert kernel("async def ask():\n    return study(n=5)\nawait ask()").value == "5"
    kernel(TRAIN)


def test_a_magic_in_a_step_is_named(kernel):
    kernel("@step\ndef listed(x):\n    found = !ls\n    return found")
    kernel("@pipeline\ndef magical(n: int = 1):\n    return listed(n)")
    error = kernel("magical()").error

    assert error.ename == "CaptureError"
    assert "line 3: step 'listed' uses the magic `!ls`" in error.evalue
    kernel("@step\ndef listed(x):\n    %timeit -n 1 x\n    return x")
    assert "uses the magic `%timeit -n 1 x`" in kernel("magical()").error.evalue


def test_a_cell_under_time_is_said_to_be_one(kernel):
    kernel("%%time\n@step\ndef broken(n):\n    return 1 / (n - n)")
    kernel("@pipeline\ndef under_time(n: int = 1):\n    return broken(n)")

    assert "the cell under %%time, line 4" in kernel("under_time()").live["text/html"]


def test_a_quiet_kernel_shows_nothing(kernel):
    kernel("os.environ['KALELITE_QUIET'] = '1'")
    done = kernel("study()")
    kernel("del os.environ['KALELITE_QUIET']")

    assert done.all("display_data") == []
    assert done.error.ename == "ZeroDivisionError"


def test_a_module_that_is_edited_meanwhile_is_what_the_kernel_has(start):
    kernel = start()
    module = kernel.folder / "helpers.py"
    module.write_text("def scale(x):\n    return 2 * x\n")
    kernel(f"{FIRST}\nimport helpers")
    kernel("@step(cache=True)\ndef scaled(x):\n    print('computing')\n    return helpers.scale(x)")
    kernel("@pipeline\ndef flow(x: int = 1):\n    return scaled(x)")
    assert kernel("flow()").value == "2"

    module.write_text("def scale(x):\n    return 300 * x\n")

    assert kernel("flow()").value == "2"
    again = kernel("flow()")
    assert again.value == "2"
    assert "cached" in again.live["text/html"]
    assert kernel("flow(x=2)").value == "4"
    assert kernel("import importlib; importlib.reload(helpers); flow()").value == "300"


def test_autoreload_brings_the_edit_into_the_steps(start):
    kernel = start()
    module = kernel.folder / "reloaded.py"
    module.write_text("def scale(x):\n    return 2 * x\n")
    kernel(f"%load_ext autoreload\n%autoreload 2\n{FIRST}\nimport reloaded")
    kernel("@step(cache=True)\ndef scaled(x):\n    return reloaded.scale(x)")
    kernel("@pipeline\ndef flow(x: int = 1):\n    return scaled(x)")
    assert kernel("flow()").value == "2"

    time.sleep(1.1)  # autoreload looks at whole seconds
    module.write_text("def scale(x):\n    return 300 * x\n")

    assert kernel("flow()").value == "300"


def test_three_kernels_share_a_store(start, tmp_path):
    kernels = [start(tmp_path) for _ in range(3)]
    for number, kernel in enumerate(kernels):
        for cell in (FIRST, STUDY, FLOW):
            kernel(cell)
        kernel(f"@step\ndef train(rows):\n    return {number}, sum(rows)")
    values = [kernel("study()").value for kernel in kernels for _ in range(2)]

    assert values == ["(0, 3)", "(0, 3)", "(1, 3)", "(1, 3)", "(2, 3)", "(2, 3)"]


def test_an_interrupt_stops_the_run_and_says_how_it_goes_on(start, tmp_path):
    kernel = start(tmp_path)
    kernel(f"{FIRST}\nimport time")
    kernel("@step\ndef quick(n):\n    return n")
    kernel(
        "@step\ndef stubborn(n):\n    print('still here', flush=True)\n    while not os.path.exists('go'):\n"
        "        try:\n            time.sleep(60)\n        except BaseException:\n            pass\n    return n + 1"
    )
    kernel("@pipeline\ndef slow(n: int = 1):\n    return stubborn(quick(n))")

    error, shown = interrupted(kernel, "slow()", "still here")

    assert error["ename"] == "KeyboardInterrupt"
    assert "kalelite resume" in error["evalue"]
    assert "pipeline.py" not in "\n".join(error["traceback"])
    assert "interrupted" in shown["text/html"]
    assert ".resume()" in shown["text/html"]
    (tmp_path / "go").touch()
    resumed = kernel("from kalelite.runs import Run\nRun.open().resume()")
    assert resumed.value == "2"
    assert "cached" in resumed.live["text/html"]


def interrupted(kernel, source, until):
    """Run a cell and interrupt it when it has shown a text; its error, and what it shows last."""
    from nbclient.util import run_sync

    manager, client = kernel.client.km, kernel.client.kc
    message = client.execute(source)
    error, shown, sent = None, {}, False
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            got = run_sync(client.get_iopub_msg)(timeout=1)
        except queue.Empty:
            continue
        if got["parent_header"].get("msg_id") != message:
            continue
        content = got["content"]
        if got["msg_type"] in {"display_data", "update_display_data"}:
            shown = content["data"]
            if until in shown["text/html"] and not sent:
                sent = True
                run_sync(manager.interrupt_kernel)()
        elif got["msg_type"] == "error":
            error = content
        elif got["msg_type"] == "status" and content["execution_state"] == "idle":
            return error, shown
    raise AssertionError("the cell did not end")


def test_a_front_end_without_widgets_gets_updates_of_one_display(kernel):
    """VS Code's way: no comms, and a display that is updated by its id."""
    from nbclient.util import run_sync

    client = kernel.client.kc
    message = client.execute("study()")
    got = []
    while not got or got[-1]["content"].get("execution_state") != "idle":
        each = run_sync(client.get_iopub_msg)(timeout=60)
        if each["parent_header"].get("msg_id") == message:
            got.append(each)
    kinds = [each["msg_type"] for each in got]
    shown = [each["content"] for each in got if "display_data" in each["msg_type"]]

    assert kinds.count("display_data") == 1
    assert kinds.count("update_display_data") >= 1
    assert not any(kind.startswith("comm") for kind in kinds)
    assert len({each["transient"]["display_id"] for each in shown}) == 1
    assert all(set(each["data"]) <= {"text/html", "text/plain"} for each in shown)


def test_ipython_in_a_terminal_shows_lines_and_the_cell(tmp_path):
    cells = [FIRST, STUDY, TRAIN, FLOW, "study(n=2)"]
    typed = "".join(f"get_ipython().run_cell({cell!r}, store_history=True);\n" for cell in cells)
    script = tmp_path / "typed.ipy"
    script.write_text(typed)
    done = subprocess.run(
        [sys.executable, "-m", "IPython", "--no-banner", "--colors=nocolor", str(script)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        env={**os.environ, "IPYTHONDIR": str(tmp_path / "ipython")},
        check=False,
    )

    assert "✗ failed" in done.stderr
    assert "train failed in run" in done.stdout
    assert "Cell In[3], line 5, in train" in done.stdout
    assert "display_data" not in done.stdout
