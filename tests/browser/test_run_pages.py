"""The pages of runs in a real browser: a file, and pages that renew themselves."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest
from jupyter_lab import CHROMIUM, browser

from kalelite.runs.pipeline_run import Run
from kalelite.runs.report.pages_server import PagesServer
from kalelite.runs.report.run_page import run_page
from kalelite.sweep.sweep_page import sweep_page
from kalelite.sweep.sweep_record import Sweep, Trial

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        CHROMIUM is None or importlib.util.find_spec("playwright") is None,
        reason="needs Chromium and pip install 'kalelite[browser]'",
    ),
]

PICTURES = Path(__file__).parents[2] / "notebooks" / "pictures"
SCRIPT = """
import os, time
from kalelite import ParallelFor, log_artifact, log_metric, pipeline, step

@step
def load(rows: int) -> list:
    print("reading", rows, "<b>rows</b>")
    return list(range(rows))

@step
def train(rows, rate: float) -> float:
    for epoch in range(30):
        log_metric("loss", rate / (epoch + 1), step=epoch)
    while os.environ.get("WAIT_FOR") and not os.path.exists(os.environ["WAIT_FOR"]):
        time.sleep(0.05)
    log_artifact("<script>document.title = 'taken'</script><p>a page</p>", "page")
    return 0.5

@step
def fold(number: int):
    log_metric("score", number)

@pipeline
def study(rows: int = 100, rate: float = 1.0):
    train(load(rows), rate)
    with ParallelFor([1, 2, 3]) as number:
        fold(number)

if __name__ == "__main__":
    study()
"""


@contextmanager
def started(folder, **environ):
    """The script, run in a folder of its own."""
    script = folder / "study.py"
    script.write_text(SCRIPT, "utf-8")
    process = subprocess.Popen(
        [sys.executable, "-m", "kalelite", script.name],
        cwd=folder,
        env={**os.environ, "KALELITE_HOME": str(folder / ".kalelite"), **environ},
        stdout=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def served(home):
    with PagesServer(home) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.url
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def chromium():
    with browser() as started_browser:
        yield started_browser


@pytest.fixture
def page(chromium):
    """A page that holds that the console got no error, but for scripts that it has to stop."""
    page = chromium.new_page(viewport={"width": 400, "height": 800})
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda one: errors.append(one.text) if one.type == "error" else None)
    yield page
    page.close()
    assert [one for one in errors if "Blocked script execution in 'about:srcdoc'" not in one] == []


def hold_narrow(page):
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= 400


def photograph(page, name, width, height, scheme):
    """Keep a picture for the README."""
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": height})
    page.screenshot(path=PICTURES / name)


def test_a_report_opens_from_a_file_and_a_click_on_a_step_opens_its_details(tmp_path, page):
    with started(tmp_path) as process:
        assert process.wait(120) == 0
    report = tmp_path / "report.html"
    report.write_text(run_page(Run.open(folder=tmp_path / ".kalelite")), "utf-8")

    page.goto(report.as_uri())

    hold_narrow(page)
    if os.environ.get("KALELITE_REGENERATE"):
        photograph(page, "report-light.png", 800, 1150, "light")
        photograph(page, "report-dark.png", 400, 1150, "dark")
    details = page.locator("#step-train")
    assert details.get_attribute("open") is None
    page.locator("svg a[data-id=train]").click()
    page.wait_for_selector("#step-train[open]")
    assert "def train(" in details.inner_text()
    page.locator("#steps a", has_text="load").click()
    page.wait_for_selector("#step-load[open]")
    assert page.locator("#log-load").inner_text() == "reading 100 <b>rows</b>"
    assert "study" in page.title()


def test_a_page_renews_itself_until_its_run_is_over(tmp_path, page):
    go_on = tmp_path / "go on"
    with served(tmp_path / ".kalelite") as url, started(tmp_path, WAIT_FOR=str(go_on)) as process:
        page.goto(url)
        assert "token" not in page.url
        page.locator("main a", has_text="20").click(timeout=60_000)
        page.wait_for_selector(".is-running[data-id=train]", timeout=60_000)
        hold_narrow(page)
        page.locator("svg a[data-id=load]").click()
        page.wait_for_selector("#step-load[open]")

        go_on.touch()
        page.wait_for_selector("h1 .is-succeeded", timeout=60_000)

        assert process.wait(60) == 0
        assert page.locator("#step-load").get_attribute("open") is not None
        page.wait_for_function("!document.body.dataset.live")
        page.locator("header a", has_text="All runs").click()
        page.wait_for_selector("td .is-succeeded")


@pytest.mark.skipif(
    importlib.util.find_spec("axe_playwright_python") is None,
    reason="needs pip install 'kalelite[browser]'",
)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_pages_are_fit_for_screen_readers_and_have_contrast(tmp_path, page, scheme):
    from axe_playwright_python.sync_playwright import Axe

    for _ in range(2):
        with started(tmp_path) as process:
            assert process.wait(120) == 0
    points = [(1, 0.001, "a"), (2, 0.1, "b"), (3, 0.01, "a")]
    trials = [
        Trial(n, {"lr": lr, "kind": kind}, "succeeded", f"r{n}", lr) for n, lr, kind in points
    ]
    space = {"lr": "1e-3..1e-1 log", "kind": '["a", "b"]'}
    swept = Sweep("s", [], "", space, "random", 4, 0, 1, "loss", trials=trials)
    (tmp_path / "sweep.html").write_text(sweep_page(swept), "utf-8")
    ids = sorted(each.name for each in (tmp_path / ".kalelite" / "runs").iterdir())
    page.emulate_media(color_scheme=scheme)

    with served(tmp_path / ".kalelite") as url:
        page.goto(url)
        address = page.url
        pages = [
            address,
            f"{address}runs/{ids[0]}",
            f"{address}compare?run={ids[0]}&run={ids[1]}",
            (tmp_path / "sweep.html").as_uri(),
        ]
        for each in pages:
            page.goto(each)
            hold_narrow(page)
            page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
            found = Axe().run(page)
            assert found.violations_count == 0, f"{each}\n{found.generate_report()}"
