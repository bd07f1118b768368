"""What a run gave, in a notebook: frames as tables, figures as pictures, metrics with their course."""

from __future__ import annotations

import math

import pytest

from kalelite import log_artifact, log_metric, pipeline, step
from kalelite.authoring.backends import use_backend
from kalelite.backends.local.local_backend import LocalBackend
from kalelite.backends.local.local_settings import LocalSettings
from kalelite.runs.html_tables import plain_table
from kalelite.runs.pipeline_run import Run
from kalelite.runs.values_html import metrics_html

pandas = pytest.importorskip("pandas")
pytest.importorskip("matplotlib")


@step
def table():
    print("making it")
    frame = pandas.DataFrame({"name": ["<i>Ada</i>", "Alan"], "age": [36, 41]})
    log_artifact(frame, "people")
    return frame


@step
def figure(frame):
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(1, 1))
    drawn.subplots().plot(frame["age"])
    for n in range(3):
        log_metric("loss", 1 / (n + 1), step=n)
    return drawn


@pipeline
def given():
    return figure(table())


@pytest.fixture(scope="module")
def html(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    with use_backend(LocalBackend(LocalSettings(home=home))):
        given()
    return Run.open(folder=home)._repr_html_()


def test_frames_are_tables_without_markup_of_their_own(html):
    assert html.count("<td>&lt;i&gt;Ada&lt;/i&gt;</td>") == 2  # the value and the artifact
    assert "<iframe" not in html
    assert "2 × 2" in html


def test_figures_are_pictures(html):
    assert html.count("src='data:image/png;base64,") == 1


def test_each_part_can_be_folded(html):
    for title in ("values", "table", "figure", "metrics", "table.people"):
        assert f"<summary style='cursor:pointer'>{title}</summary>" in html


def test_the_last_line_printed_and_the_course_of_a_metric_are_shown(html):
    assert ">making it<" in html
    assert "0.333333" in html
    assert "█▃▁  3 points" in html


def test_a_metric_that_is_no_number_has_no_course():
    assert "nan" in metrics_html({"fit.loss": [(0, math.nan)]})
    assert metrics_html({}) == ""


@pytest.mark.parametrize(
    "page",
    [
        "<table><tr><td><script>1</script></td></tr></table>",
        "<table><tr><td><img src=x onerror=1></td></tr></table>",
        "<h1>no table</h1>",
        "<table>" + "x" * 300_000 + "</table>",
    ],
)
def test_pages_with_more_than_a_table_are_not_taken_for_one(page):
    assert plain_table(page) is None


def test_a_table_is_written_anew_without_attributes():
    made = plain_table("<style>x{}</style><table onclick='1'><tr><th colspan=2>a<b>&amp;</table>")

    assert made == (
        "<div style='overflow-x:auto'><table><tr><th colspan=\"2\">a<b>&amp;</table></div>"
    )
