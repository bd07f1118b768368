"""A run that has all that a page can show, and texts that must not become markup."""

from __future__ import annotations

import base64
import contextlib
import tempfile
from pathlib import Path

import pytest

from kalelite import If, ParallelFor, log_artifact, log_metric, pipeline, step
from kalelite.authoring.backends import use_backend
from kalelite.backends.local.local_backend import LocalBackend
from kalelite.backends.local.local_settings import LocalSettings
from kalelite.runs.pipeline_run import Run

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
EVIL = "</pre><script>alert(1)</script><img src=x onerror=alert(2)>"
SECRET = "hf_" + "abcdefghijklmnopqrstuvwx"


@step
def load(note: str) -> list:
    print(EVIL, SECRET)
    return [note]


@step
def train(rows, rate: float) -> float:
    for epoch in range(5):
        log_metric("loss", rate / (epoch + 1), step=epoch)
    log_metric("accuracy", 0.9)
    picture = Path(tempfile.mkdtemp()) / "it.png"
    picture.write_bytes(PIXEL)
    log_artifact(picture, "<it>")
    log_artifact("# Card\n\n|a|b|\n|-|-|\n|1|2|\n", "card")
    return 0.9


@step
def publish(score):
    raise ValueError(EVIL)


@step
def fold(number: int):
    log_metric("score", number)


@pipeline
def study(note: str = EVIL, rate: float = 1.0, api_token: str = "abc-secret"):
    """Trains <b>well</b>."""
    score = train(load(note), rate)
    with If(score > 0.5):
        publish(score)
    with ParallelFor([1, 2, 3]) as number:
        fold(number)


def run_study(home, **parameters):
    with use_backend(LocalBackend(LocalSettings(home=home))), pytest.raises(ValueError):
        study(**parameters)
    return Run.open(folder=home)


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    """A home with two runs of the pipeline, which fail in their last step."""
    folder = tmp_path_factory.mktemp("home")
    home = folder / ".kalelite"
    with contextlib.chdir(folder):
        run_study(home)
        run_study(home, rate=2.0)
    return home


@pytest.fixture
def run(home):
    return Run.open(folder=home)
