"""``kalelite compare`` and ``kalelite show --html``."""

from __future__ import annotations

import json

SCRIPT = """
from kalelite import pipeline, step, log_metric
@step
def train(rate: float) -> float:
    log_metric("loss", rate)
    return rate{more}
@pipeline
def study(rate: float = 0.5):
    train(rate)
"""


def two_runs(shell):
    shell.write("study.py", SCRIPT.format(more=""))
    assert shell("study.py").returncode == 0
    shell.write("study.py", SCRIPT.format(more=" + 1\npassword = 'hunter22'"))
    assert shell("study.py", "-p", "rate=0.25").returncode == 0
    return sorted(path.name for path in (shell.folder / ".kalelite" / "runs").iterdir())


def test_runs_are_compared_on_the_terminal_as_json_and_as_a_page(shell):
    first, second = two_runs(shell)

    done = shell("compare", first, "last")
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["rate", "0.5", "0.25"] in lines
    assert ["train.loss", "0.5", "0.25"] in lines
    assert "  -    return rate\n  +    return rate + 1\n  +password = '•••'\n" in done.stdout

    data = json.loads(shell("compare", first, second, "--output", "json").stdout)
    assert data["runs"] == [first, second]
    assert data["parameters"] == [{"name": "rate", "values": ["0.5", "0.25"]}]

    assert shell("compare", first, second, "--html", "c.html").stdout == "wrote c.html\n"
    assert "2 runs compared" in (shell.folder / "c.html").read_text("utf-8")

    done = shell("compare", first, first)
    assert (done.returncode, "one run cannot be compared" in done.stderr) == (2, True)


def test_a_run_is_written_as_a_page(shell):
    shell.write("study.py", SCRIPT.format(more=""))
    shell("study.py")

    assert shell("show", "--html", "it.html").stdout == "wrote it.html\n"
    page = (shell.folder / "it.html").read_text("utf-8")
    assert "<title>study " in page
    assert shell("show", "--html", "-").stdout.startswith("<!doctype html>")
    done = shell("show", "--html", ".kalelite")
    assert (done.returncode, ".kalelite cannot be written" in done.stderr) == (2, True)
