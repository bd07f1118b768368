"""Pipelines and runs in notebooks: what they show, and a real kernel."""

from __future__ import annotations

import importlib.util
from html.parser import HTMLParser

import pytest

from kalelite import pipeline, step
from kalelite.authoring.backends import use_backend
from kalelite.picture.mimebundle import plan_html, plan_text
from kalelite.runs.html import run_html
from kalelite.runs.pipeline_run import Run


@step
def load(n):
    return list(range(n))


@step
def fail(rows):
    raise ValueError("<b>no</b> rows")


@pipeline
def shown(n: int = 3, name: str = "<i>"):
    """Loads & fails."""
    fail(load(n))


@pipeline
def broken():
    rows = load(1)
    if rows:
        fail(rows)


class Tags(HTMLParser):
    """Holds that every tag is closed."""

    def __init__(self):
        super().__init__()
        self.open = []
        self.seen = set()

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)
        if tag not in {"img", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def tags_of(html):
    tags = Tags()
    tags.feed(html)
    assert tags.open == []
    return tags.seen


def test_a_pipeline_shows_its_parameters_and_its_picture():
    bundle = shown._repr_mimebundle_()

    assert {"table", "img"} <= tags_of(bundle["text/html"])
    assert "i" not in tags_of(bundle["text/html"])
    assert "Loads &amp; fails." in bundle["text/html"]
    assert "&#x27;&lt;i&gt;&#x27;" in bundle["text/html"]
    assert "load" in bundle["text/plain"]


def test_the_page_around_the_picture_says_what_the_picture_would_say_again():
    html = shown._repr_mimebundle_()["text/html"]

    assert html.count("Loads &amp; fails.") == 1
    assert html.count("shown") == 2  # the heading, and what a screen reader calls the picture


def test_a_broken_pipeline_is_shown_with_its_problems():
    plan, problems = broken.draft()
    html = plan_html(plan, problems)

    assert "pre" in tags_of(html)
    assert html.count("no value yet") == 1
    assert "no value yet" in plan_text(plan, problems)


def test_a_run_shows_what_its_tasks_did(tmp_path):
    from kalelite.backends.local.local_backend import LocalBackend
    from kalelite.backends.local.local_settings import LocalSettings

    backend = LocalBackend(LocalSettings(home=tmp_path))
    with use_backend(backend), pytest.raises(ValueError, match="no"):
        shown()
    html = Run.open(folder=tmp_path)._repr_html_()

    assert html == run_html(Run.open(folder=tmp_path))
    assert {"table", "details"} <= tags_of(html)
    assert "&lt;b&gt;no&lt;/b&gt; rows" in html
    assert "[0, 1, 2]" in html


CELLS = [
    "from kalelite import pipeline, step",
    "class Own:\n    def __init__(self, n):\n        self.n = n",
    "@step\ndef make(n):\n    return Own(n)",
    "@step\ndef use(own):\n    assert type(own) is Own\n    return own.n + 1",
    "@pipeline\ndef in_cells(n: int = 1):\n    own = make(n)\n    return use(own)",
    "in_cells",
    "in_cells(41)",
    "@step\ndef make(n):\n    return Own(10 * n)",
    "in_cells(4)",
    "@pipeline\ndef wrong():\n    own = make(1)\n    if own:\n        use(own)\n\nwrong()",
]


@pytest.mark.slow
@pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("nbclient", "ipykernel")),
    reason="needs a kernel: pip install 'kalelite[notebook]'",
)
@pytest.mark.filterwarnings("default")  # those of the libraries that talk to the kernel
def test_the_decorators_work_in_the_cells_of_a_real_kernel(tmp_path):
    import nbformat
    from nbclient import NotebookClient

    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in CELLS])
    NotebookClient(
        book, timeout=120, allow_errors=True, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    outputs = [cell.outputs for cell in book.cells]

    def value_of(cell):
        return next(o["data"]["text/plain"] for o in cell if o.output_type == "execute_result")

    assert "data:image/svg+xml" in outputs[5][0]["data"]["text/html"]
    assert value_of(outputs[6]) == "42"
    assert value_of(outputs[8]) == "41"
    error = next(output for output in outputs[9] if output.output_type == "error")
    assert error.ename == "PipelineError"
    assert "if own:" in error.evalue
    assert "pipeline.py" not in "\n".join(error.traceback)
