"""The page of a run: all of it is there, nothing of it is obeyed, and anybody can read it."""

from __future__ import annotations

import os
import re
from pathlib import Path

from page_parts import hold_accessible, hold_alone, outline, parse

from kalelite.runs.report.run_page import run_page
from kalelite.runs.report.step_details import _LOG_BYTES

EVIL = "</pre><script>alert(1)</script><img src=x onerror=alert(2)>"
SECTIONS = ["graph", "steps", "parameters", "metrics", "artifacts", "details", "environment"]


def test_a_page_shows_all_of_a_run_in_the_order_in_which_people_ask(run):
    root = parse(run_page(run))

    assert [one.attributes["id"] for one in root.all("section")] == SECTIONS
    assert root.one("h1").text == "study ✗ failed"
    table = root.one("section", id="steps").one("table")
    names = [row.one("th", scope="row").text for row in table.one("tbody").all("tr")]
    assert names == ["load", "train", "publish", "fold[0]", "fold[1]", "fold[2]"]
    metrics = root.one("section", id="metrics")
    assert "train.accuracy0.9" in metrics.text
    plot = metrics.one("svg", class_="plot")
    assert "5 points, from 2 to 0.4, lowest 0.4, highest 2" in plot.attributes["aria-label"]
    assert plot.one("polyline").attributes["points"].count(",") == 5
    artifacts = root.one("section", id="artifacts")
    assert artifacts.one("img").attributes["src"].startswith("data:image/png;base64,")
    assert artifacts.one("table").text.split() == ["a", "b", "1", "2"]
    assert "python" in root.one("section", id="environment").text


def test_the_graph_is_coloured_by_state_and_leads_to_the_details(run):
    root = parse(run_page(run))

    cards = {
        card.attributes["data-id"]: card for card in root.all("a") if "data-id" in card.attributes
    }
    states = {id: card.attributes["class"].split()[-1] for id, card in cards.items()}
    assert states == {
        "load": "is-succeeded",
        "train": "is-succeeded",
        "publish": "is-failed",
        "fold": "is-succeeded",
    }
    assert "✓ 3 of 3" in cards["fold"].text
    for id, card in cards.items():
        details = root.one("details", id=card.attributes["href"][1:])
        assert f"def {id}(" in details.text
    failed = root.one("details", id="step-publish")
    assert f"ValueError: {EVIL}" in failed.text
    assert EVIL in root.one("details", id="step-load").one("pre", id="log-load").text


def test_what_users_wrote_is_text_and_no_markup(run):
    page = run_page(run)
    root = parse(page)

    hold_alone(page, root)
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "Trains <b>well</b>." in root.one("section", id="graph").text


def test_secrets_are_not_shown(run):
    page = run_page(run)

    assert "hf_abc" not in page
    assert "abc-secret" not in page
    root = parse(page)
    assert "api_token•••" in root.one("section", id="parameters").text


def test_a_page_can_be_read_without_eyes(run):
    hold_accessible(parse(run_page(run)))


def test_of_a_long_log_the_end_is_shown_and_what_is_left_out_is_said(run, monkeypatch):
    log = run.tasks["fold[0]"].log
    log.write_text("first\n" + "x" * 79 * 1000 + "\nlast\n", "utf-8")
    try:
        pre = parse(run_page(run)).one("details", id="step-fold[0]")
    finally:
        log.write_text("", "utf-8")

    assert pre.one("pre").text.endswith("x\nlast")
    assert len(pre.one("pre").text) < _LOG_BYTES
    assert "13.5 kB before it are left out" in pre.text


def test_a_run_of_which_little_is_known_has_a_page(run, tmp_path):
    folder = tmp_path / "runs" / run.id
    folder.mkdir(parents=True)
    (folder / "run.json").write_bytes((run.folder / "run.json").read_bytes())

    root = parse(run_page(type(run).open(run.id, folder=tmp_path)))

    hold_accessible(root)
    assert [one.attributes["id"] for one in root.all("section")] == [
        "steps",
        "parameters",
        "details",
        "environment",
    ]


def test_the_page_reads_as_it_did(run):
    """KALELITE_REGENERATE=1 writes the golden; times, ids and places are left out of it."""
    text = "\n".join(outline(parse(run_page(run)).one("body"))) + "\n"
    for pattern, word in (
        (r"\d{8}-\d{6}-\w{7}", "RUN"),
        (r"\d{4}-\d\d-\d\d \d\d:\d\d", "DATE"),
        (r"\d+(\.\d+)? (s|min \d\d s)\b", "TIME"),
        (r"/\S+/", "…/"),
        (r"xxh3-\w+", "REF"),
        (r"(?<=\| host \| ).*|(?<=\| python \| ).*", "…"),
        (r"(?<=\w\.py:)\d+|(?<=line )\d+", "N"),
        (r"(?s)pre Traceback.*?(?=\nValueError)", "pre Traceback"),
        (r"    \| pytest .*\n", ""),  # a package that the steps may or may not be seen to use
    ):
        text = re.sub(pattern, word, text)
    golden = Path(__file__).parent / "goldens" / "run_page.txt"
    if os.environ.get("KALELITE_REGENERATE"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(text, "utf-8")

    assert text == golden.read_text("utf-8")
