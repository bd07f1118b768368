"""``notebooks/wine.ipynb`` in a real JupyterLab, in front of a real browser."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from jupyter_lab import CHROMIUM, Notebook, browser, lab

sys.path.pop(0)

ABSENT = [
    name
    for name in ("jupyterlab", "playwright", "sklearn", "pandas", "matplotlib")
    if importlib.util.find_spec(name) is None
]
pytestmark = [
    pytest.mark.skipif(
        bool(ABSENT), reason="needs a JupyterLab: pip install 'kalelite[browser,test]'"
    ),
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium"),
    pytest.mark.timeout(300),
]
NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
PICTURES = NOTEBOOKS / "pictures"


@pytest.fixture(scope="module")
def wine(tmp_path_factory):
    """The notebook, open; its cells have been run to the end. ``seen`` is what the run showed."""
    folder = tmp_path_factory.mktemp("lab")
    shutil.copy(NOTEBOOKS / "wine.ipynb", folder)
    kept = PICTURES if os.environ.get("KALELITE_REGENERATE") else folder
    with lab(folder) as address, browser() as chromium:
        page = chromium.new_page(viewport={"width": 1000, "height": 1700})
        notebook = Notebook(page, address, "wine.ipynb")
        notebook.kept = kept
        notebook.command("notebook:run-all-cells")
        run = notebook.cell(5)
        seen = notebook.shown(run, r"epoch 1\d/30", 120)
        run.screenshot(path=kept / "notebook-light.png")
        notebook.seen = seen + notebook.shown(run, "vineyards . succeeded", 60)
        yield notebook


def test_the_table_changes_while_a_step_runs(wine):
    epochs = {found for text in wine.seen for found in re.findall(r"epoch (\d+)/30", text)}

    assert "running" in wine.seen[0] + wine.seen[1]
    assert len(epochs) > 2
    assert any(re.search(r"network ▸ running [\d.]+ s \d+%", text) for text in wine.seen)


def test_the_end_has_the_picture_the_figure_and_the_value(wine):
    run = wine.cell(5)
    drawn = run.locator("img")

    assert drawn.count() == 2
    for number in range(2):
        assert drawn.nth(number).evaluate("image => image.complete && image.naturalWidth > 100")
    assert "'network': 0." in run.inner_text()
    run.locator("summary", has_text="values").click()
    assert "split.x" in run.inner_text()
    run.locator("summary", has_text="values").click()


def test_it_is_as_readable_in_the_dark(wine):
    run = wine.cell(5)
    wine.command("apputils:change-theme", theme="JupyterLab Dark")
    wine.page.wait_for_selector("[data-jp-theme-light='false']", state="attached")
    wine.page.wait_for_timeout(500)
    run.screenshot(path=wine.kept / "notebook-dark.png")

    ground, ink = run.locator("td").first.evaluate(
        "cell => [getComputedStyle(document.body).getPropertyValue('--jp-layout-color0'),"
        " getComputedStyle(cell).color]"
    )
    assert ground.strip() in {"#111111", "#111", "rgb(17, 17, 17)"}
    assert min(map(int, re.findall(r"\d+", ink)[:3])) > 180


def test_the_stop_button_stops_a_run_and_the_kernel_lives_on(wine):
    cell = wine.add("vineyards(epochs=10000)")
    wine.shown(cell, r"epoch \d+/10000", 60)
    wine.command("notebook:interrupt-kernel")
    wine.shown(cell, r"vineyards . interrupted", 30)
    wine.shown(cell, r"KeyboardInterrupt: the run was stopped. To go on with it", 30)

    wine.shown(wine.add("6 * 7"), "42", 30)
