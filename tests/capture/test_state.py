"""What the top of a script does to its process, as its steps find it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

SEEDED = """
import random
from kalelite import ParallelFor, pipeline, step

random.seed(7)

@step
def draw(i=0):
    return random.random()

@pipeline
def flow():
    one, two = draw(), draw()
    with ParallelFor([1, 2, 3]) as i:
        many = draw(i)
    return one, two

@pipeline
def single():
    return draw()
"""


def run(folder, text, *arguments):
    (folder / "main.py").write_text(text)
    env = {**os.environ, "KALELITE_HOME": str(folder / "home"), "COLUMNS": "200"}
    command = [sys.executable, "-m", "kalelite", "main.py", *arguments]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def results(output):
    return [line for line in output.splitlines() if line.startswith("RESULT")]


@pytest.mark.parametrize("ways", [("", ""), ("", "--debug")])
def test_seeded_runs_repeat_and_no_two_calls_draw_the_same(tmp_path, ways):
    script = f"{SEEDED}\nprint('RESULT', *flow())\nprint('RESULT', single())\nprint('RESULT', random.random())"
    first, second = (results(run(tmp_path, script, *filter(None, [way]))) for way in ways)

    numbers = " ".join(first).replace("RESULT", "").split()

    assert first == second
    assert len(set(numbers)) == len(numbers) == 4


def test_the_first_call_draws_what_plain_python_draws(tmp_path):
    import random

    output = run(tmp_path, f"{SEEDED}\nprint('RESULT', *flow())")

    assert results(output)[0].split()[1] == str(random.Random(7).random())


@pytest.mark.parametrize(
    ("line", "other"),
    [
        ("decimal.getcontext().prec = 5", "decimal.getcontext().prec = 6"),
        ("random.seed(1)", "random.seed(2)"),
        ("json.rate = 1", "json.rate = 2"),
    ],
)
def test_a_cached_result_is_of_the_same_state_only(tmp_path, line, other):
    script = """
import decimal, json, random
from kalelite import pipeline, step
{}

@step(cache=True)
def look():
    return str(decimal.Decimal(1) / 3), random.random(), getattr(json, "rate", 0)

@pipeline
def flow():
    return look()

print("RESULT", flow())
"""
    first, again, changed = (run(tmp_path, script.format(text)) for text in (line, line, other))

    assert "cached" not in first
    assert "1 cached" in again
    assert "cached" not in changed
    assert results(first) == results(again) != results(changed)


def test_what_cannot_be_carried_is_named_with_its_line(tmp_path):
    script = """
import json, threading
import kalelite
from kalelite import pipeline, step

json.lock = threading.Lock()

@kalelite.setup
def ready():
    json.ready = threading.get_ident()

@step
def look():
    return hasattr(json, "lock"), hasattr(json, "ready")

@pipeline
def flow():
    return look()

print("RESULT", flow())
"""
    output = run(tmp_path, script)

    assert "main.py:6: the steps do not find what this does: json.lock = threading.Lock()" in output
    assert results(output) == ["RESULT (False, True)"]


def test_a_script_that_changes_nothing_has_no_state(tmp_path):
    script = """
from kalelite import pipeline, step

@step
def one():
    return 1

@pipeline
def flow():
    return one()

from kalelite.capture.code import capture
print("RESULT", bool(capture(flow.plan()).state))
"""

    assert results(run(tmp_path, script)) == ["RESULT False"]
