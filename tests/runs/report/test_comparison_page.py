"""Runs beside each other: as data, as a page."""

from __future__ import annotations

from page_parts import hold_accessible, hold_alone, parse

from kalelite.runs.comparison import compare
from kalelite.runs.pipeline_run import list_runs
from kalelite.runs.report.comparison_page import comparison_page


def runs_of(home):
    return list(reversed(list_runs(folder=home)))


def test_what_differs_stands_beside_each_other(home):
    found = compare(runs_of(home))

    rows = {row.name: row for row in (*found.parameters, *found.metrics)}
    assert rows["rate"].values == ("1.0", "2.0")
    assert rows["train.loss"].values == ("0.2", "0.4")
    assert [name for name, row in rows.items() if row.differs] == ["rate", "train.loss"]
    assert rows["api_token"].values == ("•••", "•••")
    times = {row.name: row.values for row in found.times}
    assert all("(failed)" in value for value in times["publish"])
    assert found.code == ()


def test_the_page_lays_the_curves_over_one_another(home):
    runs = runs_of(home)
    page = comparison_page(runs)
    root = parse(page)

    hold_accessible(root)
    hold_alone(page, root)
    plot = root.one("section", id="metrics").one("figure")
    assert len(list(plot.one("svg", class_="plot").all("polyline"))) == 2
    assert [item.text.strip() for item in plot.all("li")] == ["run 1", "run 2"]
    assert "The code is the same." in root.one("section", id="code").text
    assert [mark.text for mark in root.one("section", id="parameters").all("mark")] == [
        "1.0",
        "2.0",
    ]
