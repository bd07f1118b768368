"""Artifacts in notebooks: each as what it is, and none of them able to do harm."""

from __future__ import annotations

import base64

import pytest

from kalelite import log_artifact, pipeline, step
from kalelite.authoring.backends import use_backend
from kalelite.backends.local.local_backend import LocalBackend
from kalelite.backends.local.local_settings import LocalSettings
from kalelite.runs.artifacts_html import artifacts_html
from kalelite.runs.logged import Artifact
from kalelite.runs.pipeline_run import Run

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def artifact(path, kind, name="it"):
    return Artifact("draw", name, kind, path)


@step
def draw():
    log_artifact("# A <b>title</b>", "text")
    log_artifact("<h1 onclick=\"alert('x')\">page</h1>", "page")


@pipeline
def drawn():
    draw()


def test_a_run_shows_its_artifacts(tmp_path):
    with use_backend(LocalBackend(LocalSettings(home=tmp_path))):
        drawn()

    html = Run.open(folder=tmp_path)._repr_html_()

    assert "draw.text" in html
    assert "<h3>A &lt;b&gt;title&lt;/b&gt;</h3>" in html
    assert '<iframe sandbox srcdoc="&lt;h1 onclick=&quot;alert(&#x27;x&#x27;)&quot;' in html


@pytest.mark.parametrize(
    ("name", "type"), [("a.png", "image/png"), ("a.svg", "image/svg+xml"), ("a.jpg", "image/jpeg")]
)
def test_an_image_is_shown_as_one(tmp_path, name, type):
    (tmp_path / name).write_bytes(PIXEL)

    html = artifacts_html([artifact(tmp_path / name, "image")])

    assert f"src='data:{type};base64,{base64.b64encode(PIXEL).decode()}'" in html


def test_markdown_is_shown_as_what_it_means_and_runs_nothing(tmp_path):
    (tmp_path / "a.md").write_text(
        "| rate |\n|---|\n| 0.5 |\n\n* one\n\n[b](javascript:alert(1)) <script>alert(1)</script>"
    )

    html = artifacts_html([artifact(tmp_path / "a.md", "markdown")])

    assert "<th>rate</th>" in html
    assert "<li>one</li>" in html
    assert "<script>" not in html
    assert "href" not in html


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_of_anything_else_the_path_is_shown(tmp_path, kind):
    assert str(tmp_path) in artifacts_html([artifact(tmp_path, kind)])


def test_what_is_too_large_is_shown_by_its_path(tmp_path):
    path = tmp_path / "large.html"
    path.write_bytes(b"<p>x</p>" * (1 << 20))

    html = artifacts_html([artifact(path, "html")])

    assert (str(path) in html, "iframe" in html) == (True, False)


def test_what_has_gone_is_said_to_be(tmp_path):
    assert "is gone" in artifacts_html([artifact(tmp_path / "gone.png", "image")])


def test_names_are_text(tmp_path):
    assert "<script>" not in artifacts_html([artifact(tmp_path / "x", "file", "<script>")])
