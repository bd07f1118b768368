"""``kalelite resume``, ``--from``, ``--refresh``, ``--cache`` and ``kalelite explain``, as people type them."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

SCRIPT = """
import sys
from kalelite import pipeline, step

RATE = 2

def scaled(x):
    return x * RATE

@step
def load(n: int) -> int:
    return n

@step
def train(x: int) -> int:
    if BROKEN:
        raise ValueError("not yet")
    return scaled(x)

@step
def judge(x: int) -> str:
    return f"score {x}"

@pipeline
def main(n: int = 3):
    return judge(train(load(n)))
"""


@pytest.fixture
def broken(shell):
    """A shell with a script whose second step has failed in a run with a parameter."""
    shell.write("script.py", SCRIPT.replace("BROKEN", "True"))
    done = shell("script.py", "-p", "n=5")
    assert done.returncode == 1
    assert "When that is corrected:  python -m kalelite resume" in done.stdout
    return shell


def mend(shell):
    shell.write("script.py", SCRIPT.replace("BROKEN", "False"))


def test_a_mended_script_goes_on_with_its_parameters(broken):
    mend(broken)
    done = broken("resume")

    assert done.returncode == 0, done.stderr
    assert "kept    load  (1 step)" in done.stdout
    assert "runs    train: it failed: ValueError: not yet" in done.stdout
    assert "then    judge, unless unchanged" in done.stdout
    assert "'score 10'" in done.stdout
    assert "2 succeeded, 1 cached" in done.stdout


def test_a_run_that_fails_again_says_how_to_go_on(broken):
    done = broken("resume")

    assert done.returncode == 1
    assert "When that is corrected:  python -m kalelite resume\n" in done.stdout
    assert done.stdout.endswith("or all of it again:      python -m kalelite script.py -p n=5\n")


def test_a_branch_that_is_not_taken_is_not_announced(shell):
    script = BRANCHES.replace("BROKEN", "True")
    shell.write("script.py", script)
    assert shell("script.py").returncode == 1
    shell.write("script.py", script.replace("if True", "if False"))
    done = shell("resume")

    assert done.returncode == 0, done.stderr
    assert "runs    right: it failed: ValueError: not yet" in done.stdout
    assert "then    last, unless unchanged" in done.stdout


BRANCHES = """
from kalelite import Else, If, OneOf, pipeline, step

@step
def number() -> int:
    return 3

@step
def right():
    if BROKEN:
        raise ValueError("not yet")
    return "right"

@step
def wrong():
    return "wrong"

@step
def last(text):
    return text

@pipeline
def main():
    n = number()
    with If(n > 2):
        a = right()
    with Else():
        b = wrong()
    return last(OneOf(a, b))
"""


def test_a_run_goes_on_from_another_folder(broken, tmp_path):
    mend(broken)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    command = [
        sys.executable,
        "-m",
        "kalelite",
        "resume",
        "--home",
        str(broken.folder / ".kalelite"),
    ]
    done = subprocess.run(command, cwd=elsewhere, capture_output=True, text=True, check=False)

    assert "'score 10'" in done.stdout, done.stderr


def test_a_script_that_plain_python_has_run_goes_on(shell):
    call = "\nprint('gave', main(int(sys.argv[1])))\n"
    shell.write("script.py", SCRIPT.replace("BROKEN", "True") + call)
    command = [sys.executable, "script.py", "7"]
    subprocess.run(command, cwd=shell.folder, env=shell.environ, capture_output=True, check=False)
    shell.write("script.py", SCRIPT.replace("BROKEN", "False") + call)

    done = shell("resume")

    assert "gave score 14" in done.stdout, done.stderr
    assert "kept    load" in done.stdout


def test_a_script_of_many_runs_goes_on_with_the_one_that_failed(shell):
    calls = "\nfor n in (1, 2, 3):\n    main(n)\n"
    text = SCRIPT.replace("if BROKEN", "if x == 2 and BROKEN")
    shell.write("script.py", text.replace("BROKEN", "True") + calls)
    shell("script.py")
    shell.write("script.py", text.replace("BROKEN", "False") + calls)

    done = shell("resume", "--output", "json")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    resumed = [event["kept"] for event in events if event["event"] == "run_resumed"]

    assert done.returncode == 0, done.stderr
    assert resumed == [["load"], ["load"]], "the edit is one of `train`"
    assert [event["values"] for event in events if event["event"] == "result"][2]


def test_a_run_of_a_session_says_where_it_goes_on(shell):
    text = SCRIPT.replace("BROKEN", "True") + "\nmain()\n"
    command = [sys.executable, "-c", f"exec({text!r})"]
    subprocess.run(command, cwd=shell.folder, env=shell.environ, capture_output=True, check=False)

    done = shell("resume")

    assert done.returncode == 2
    assert "was not started by a script" in done.stderr


def test_explain_names_what_changed_with_a_diff(broken):
    mend(broken)
    broken("resume")
    broken.write("script.py", SCRIPT.replace("BROKEN", "False").replace("RATE = 2", "RATE = 4"))
    broken("script.py", "-p", "n=5")

    done = broken("explain")

    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "load  it ran, though nothing changed" in lines[0]
    at = next(number for number, line in enumerate(lines) if "train" in line)
    assert "it ran, compared with run" in lines[at]
    assert lines[at + 1 : at + 5] == [
        "    the global RATE that it uses was edited",
        "      script.py:5",
        "        -RATE = 2",
        "        +RATE = 4",
    ]
    assert "    the argument x, from train, is another value: 20, and was 10" in lines


def test_explain_of_one_step_as_json(broken):
    mend(broken)
    broken("resume")

    done = broken("explain", "last", "load", "--output", "json")

    [step] = json.loads(done.stdout)["steps"]
    assert (step["instances"], step["status"]) == (["load"], "cached")


def test_explain_of_a_step_that_does_not_exist(broken):
    done = broken("explain", "last", "trian")

    assert done.returncode == 2
    assert "Did you mean 'train'?" in done.stderr


def test_a_run_starts_after_a_step_of_another_and_explains_itself(broken):
    mend(broken)
    done = broken("script.py", "--from", "last:load", "--explain")

    assert "'score 10'" in done.stdout, done.stderr
    assert "= load  taken as in run" in done.stdout
    assert "--from asked for it" in done.stdout
    assert "✓ train  it ran: no earlier run has a result of it" in done.stdout


def test_a_run_that_started_after_a_step_goes_on_with_the_same_values(broken):
    broken("script.py", "--from", "last:load")  # train fails again
    started = broken.folder / ".kalelite/runs"
    middle = max(path.name for path in started.iterdir())
    broken("script.py", "-p", "n=50")  # "last" is another run now
    mend(broken)

    assert "'score 10'" in broken("resume", middle).stdout


def test_all_steps_are_cached_where_that_is_asked_for(broken):
    mend(broken)
    broken("script.py", "--cache")
    done = broken("script.py", "--cache", "--refresh", "train")

    assert "1 succeeded, 2 cached" in done.stdout
    assert ", since 20" in done.stdout


def test_two_runs_at_once_make_a_value_that_a_third_one_takes(broken):
    mend(broken)
    command = [sys.executable, "-m", "kalelite", "script.py", "--cache"]
    both = [
        subprocess.Popen(
            command, cwd=broken.folder, env=broken.environ, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    ends = [each.communicate(timeout=120)[0] for each in both]

    assert ["'score 6'" in end for end in ends] == [True, True]
    assert "3 cached" in broken("script.py", "--cache").stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--cache", "--no-cache"], "cannot be given together"),
        (["--from", "load"], "--from takes a run and a step"),
        (["--from", "last:load", "--refresh", "load"], "would run a step that --from takes"),
        (["--refresh", "trian"], "Did you mean 'train'?"),
        (["--check", "--refresh", "train"], "--refresh is about running here"),
    ],
)
def test_what_cannot_be_meant_is_refused(broken, words, message):
    done = broken("script.py", *words)

    assert done.returncode == 2
    assert message in done.stderr


SECRETIVE = SCRIPT.replace("n: int", "api_token: str").replace("return n", "return len(api_token)")


@pytest.mark.parametrize("by_python", [False, True])
def test_a_secret_is_in_no_record_and_asked_for_again(shell, by_python):
    secretive = SECRETIVE.replace("(api_token: str = 3)", "(api_token: str)").replace(
        "load(n)", "load(api_token)"
    )
    call = "\nif __name__ == '__main__':\n    main(sys.argv[2])\n" if by_python else ""
    shell.write("script.py", secretive.replace("BROKEN", "True") + call)
    if by_python:
        command = [sys.executable, "script.py", "--token", "tell-nobody"]
        subprocess.run(
            command, cwd=shell.folder, env=shell.environ, capture_output=True, check=False
        )
    else:
        shell("script.py", "-p", "api_token=tell-nobody")
    shell.write("script.py", secretive.replace("BROKEN", "False") + call)

    refused = shell("resume")
    done = shell("resume", TOKEN="tell-nobody", API_TOKEN="tell-nobody")

    assert refused.returncode == 2
    assert "TOKEN in the environment" in refused.stderr
    assert done.returncode == 0, done.stderr
    assert "kept    load" in done.stdout
    kept = [path for path in (shell.folder / ".kalelite").rglob("*") if path.is_file()]
    assert len(kept) > 10
    assert [path for path in kept if b"tell-nobody" in path.read_bytes()] == []
    assert "•••" in shell("show").stdout
