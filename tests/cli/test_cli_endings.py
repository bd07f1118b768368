"""How a script, or a step that is debugged, may end: never as a success that did not happen."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

STEPS = """
import os, sys
from kalelite import pipeline, step

@step
def load():
    return 3

@step
def bad(how):
    if how == "raise":
        raise ValueError("no rows")
    if how == "own":
        raise Own("no rows")
    if how == "sys.exit":
        sys.exit(0)

class Own(BaseException):
    pass

@pipeline
def good():
    return load()

@pipeline
def broken(how: str = "raise"):
    load()
    bad(how)
"""


@pytest.mark.parametrize("how", ["raise", "own", "sys.exit"])
@pytest.mark.parametrize("main", ["", "\nbroken()\n"], ids=["no main block", "main block"])
def test_a_step_that_fails_while_debugging_is_shown_once(shell, how, main):
    shell.write("script.py", STEPS + main)

    done = shell("script.py", "--debug", "--pipeline", "broken", "-p", f"how={how}")

    assert done.returncode == 1
    assert done.stderr == ""
    assert done.stdout.count("✗ bad failed") == 1


def test_a_script_may_catch_what_a_step_raises_while_debugging(shell):
    main = "\ntry:\n    broken()\nexcept ValueError as error:\n    print('caught', error)\n"
    shell.write("script.py", STEPS + main)

    done = shell("script.py", "--debug")

    assert done.returncode == 1
    assert "caught no rows" in done.stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_while_debugging_lets_finally_do_its_work(shell, number):
    text = (
        "import pathlib, time\nfrom kalelite import pipeline, step\n"
        "@step\ndef wait():\n    try:\n        pathlib.Path('begun').touch()\n"
        "        time.sleep(60)\n    finally:\n        pathlib.Path('cleaned').touch()\n"
        "@pipeline\ndef p():\n    wait()\n"
    )
    shell.write("script.py", text)
    process = subprocess.Popen(
        [sys.executable, "-m", "kalelite", "script.py", "--debug"],
        cwd=shell.folder,
        env=shell.environ,
        stdout=subprocess.PIPE,
        text=True,
    )
    while not (shell.folder / "begun").exists():
        assert process.poll() is None
        time.sleep(0.02)

    process.send_signal(number)

    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "p interrupted" in out
    assert "Next:" in out
    assert (shell.folder / "cleaned").exists()
    (run,) = (shell.folder / ".kalelite" / "runs").glob("*/run.json")
    assert json.loads(run.read_text())["state"] == "interrupted"


def test_a_step_called_wrongly_outside_a_pipeline_is_the_script_s_fault(shell):
    shell.write("script.py", STEPS + "\nload(1, 2)\n")

    done = shell("script.py")

    assert done.returncode == 3
    assert "load(1, 2)" in done.stderr
    assert "TypeError: load() takes 0 positional arguments but 2 were given" in done.stderr
    assert "internal error" not in done.stderr


@pytest.mark.parametrize("leave", ["sys.exit(0)", "raise Own('x')"])
@pytest.mark.parametrize("main", ["", "\np()\n"], ids=["no main block", "main block"])
def test_a_body_that_leaves_is_a_wrong_pipeline(shell, leave, main):
    body = f"\n@pipeline\ndef p():\n    load()\n    {leave}\n"
    shell.write("script.py", STEPS + body + main)

    done = shell("script.py", "--pipeline", "p")

    assert done.returncode == 4
    assert leave in done.stderr


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("broken('raise', 2)", "pipeline `broken` takes 1 value; 2 were given"),
        ("broken(who='me')", "pipeline `broken` has no parameter 'who'"),
        ("broken('raise', how='own')", "pipeline `broken` got two values for its parameter 'how'"),
        ("broken(how=3)", "parameter how: 3 is not a str"),
    ],
)
def test_a_wrong_call_in_the_main_block_is_shown_there(shell, call, said):
    shell.write("script.py", f"{STEPS}\n{call}\n")

    done = shell("script.py")

    assert done.returncode == 2
    head, source, caret, *_ = done.stderr.splitlines()
    assert said in head
    assert source.endswith(call)
    assert "^" in caret


def test_a_failure_in_no_line_of_the_user_s_is_shown_at_the_call(shell):
    text = (
        "from kalelite import pipeline, step\n@step\ndef make() -> dict:\n    return {'a': 1}\n"
        "@step\ndef take(x):\n    return x\n@pipeline\ndef p():\n    take(make()['b'])\n"
    )
    shell.write("script.py", text)

    done = shell("script.py")

    assert done.returncode == 1
    assert "script.py:10 calls it" in done.stdout
    assert "take(make()['b'])" in done.stdout
    assert "argument 'x': there is no ['b'] in the dict" in done.stdout
    assert "Its keys are 'a'." in done.stdout


def test_a_value_that_cannot_be_stored_is_shown_without_the_pickler_s_frames(shell):
    text = (
        "import threading\nfrom kalelite import pipeline, step\n"
        "@step\ndef make():\n    return [threading.Lock()]\n"
        "@step\ndef take(x):\n    return x\n@pipeline\ndef p():\n    take(make())\n"
    )
    shell.write("script.py", text)

    done = shell("script.py")

    assert done.returncode == 1
    assert "output[0] cannot be handed to another step" in done.stdout
    assert "cloudpickle.py" not in done.stdout
    assert "while handling that" not in done.stdout


def test_a_step_may_change_modules_of_python_in_its_own_process(shell):
    text = (
        "import builtins, json, os, sys\nfrom kalelite import pipeline, step\n"
        "@step\ndef change():\n    json.dumps = builtins.open = None\n    sys.path.clear()\n"
        "    os.environ.clear()\n    return 3\n@pipeline\ndef p():\n    return change()\n"
    )
    shell.write("script.py", text)

    done = shell("script.py")

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_streams_may_be_closed_from_the_start(shell, closed):
    shell.write("script.py", STEPS + "\nos.write(1, b'raw')\nos.system('echo from a child')\n")
    command = f"exec {sys.executable} -m kalelite script.py --pipeline good {closed}"

    done = subprocess.run(
        ["sh", "-c", command], cwd=shell.folder, env=shell.environ, capture_output=True, check=False
    )

    assert done.returncode == 0
    assert done.stderr == b""
    (run,) = (shell.folder / ".kalelite" / "runs").glob("*/run.json")
    assert json.loads(run.read_text())["state"] == "succeeded"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full: try it on Linux")
@pytest.mark.parametrize("words", [["script.py", "--pipeline", "good"], ["check", "script.py"]])
def test_output_that_cannot_be_written_is_no_success(shell, words):
    shell.write("script.py", STEPS)

    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "kalelite", *words],
            cwd=shell.folder,
            env=shell.environ,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    assert done.returncode == 2
    assert done.stderr == "error: the output cannot be written: No space left on device\n"
