"""The command as people type it, in real processes."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parent / "scripts"


def test_a_script_runs_with_its_defaults(shell):
    done = shell(SCRIPTS / "hello.py")

    assert done.returncode == 0, done.stderr
    assert "✓ hello succeeded" in done.stdout
    assert "greet  'hello, world'" in done.stdout


def test_a_parameter_from_the_command_line(shell):
    done = shell("-p", "name=wörld ", SCRIPTS / "hello.py")

    assert "'hello, wörld '" in done.stdout


@pytest.mark.parametrize(
    ("words", "message", "code"),
    [
        (["two.py"], "two.py has 2 pipelines: first, second-one", 2),
        (["two.py", "--pipeline", "secnd-one"], "Did you mean 'second-one'?", 2),
        (["two.py", "--pipeline", "second"], "no value for b (int)", 2),
        (["two.py", "--pipeline", "first", "-p", "a=x"], "a", 2),
        (["two.py", "--pipeline", "first", "-p", "aa=1"], "Did you mean 'a'?", 2),
        (["two.py", "--pipeline", "second", "-p", "a=1"], "no pipeline parameter called 'a'", 2),
        (["hello.py", "--jobs", "many"], "jobs = 'many' (--jobs) is not a number from 1", 2),
        (["none.py"], "there is no file", 3),
        (["wrong.py"], "3 problems", 4),
        ([], "", 2),
        (["--jobs", "3"], "no script was given", 2),
    ],
)
def test_what_was_typed_wrong_is_told_in_words(shell, words, message, code):
    words = [SCRIPTS / word if str(word).endswith(".py") else word for word in words]

    done = shell(*words)

    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_all_values_that_do_not_fit_are_told_at_once(shell):
    words = ("-p", "a=x", "-p", "b=y")

    done = shell(SCRIPTS / "two.py", "--pipeline", "second", *words[2:], "-p", "c=1", "-p", "d=2")
    assert done.returncode == 2
    assert "2 problems" in done.stderr
    assert "called 'c'" in done.stderr
    assert "called 'd'" in done.stderr

    (shell.folder / "typed.py").write_text(
        "from kalelite import pipeline, step\n@step\ndef f(a, b): return a\n"
        "@pipeline\ndef p(a: int, b: float, c: str):\n    return f(a, b)\n"
    )
    done = shell("typed.py", *words)
    assert done.returncode == 2
    assert "3 problems" in done.stderr
    assert "parameter a: 'x' is not an int" in done.stderr
    assert "parameter b: 'y' is not a float" in done.stderr
    assert "no value for c (str)" in done.stderr


def test_values_of_parameters_are_shown_as_they_are(shell):
    (shell.folder / "typed.py").write_text(
        "from datetime import date\nfrom kalelite import pipeline, step\n"
        "@step\ndef f(a): return 1\n"
        "@pipeline\ndef p(when: date, who: str):\n    return f(when)\n"
    )
    shell("typed.py", "-p", "when=2026-01-31", "-p", "who=two\nlines")

    shown = shell("show").stdout

    assert " when  datetime.date(2026, 1, 31)\n" in shown
    assert "two\nlines" not in shown


def test_a_pipeline_is_chosen_by_its_name_or_its_function_s(shell):
    for name in ("second", "second-one"):
        done = shell(SCRIPTS / "two.py", "--pipeline", name, "-p", "b=5")

        assert done.returncode == 0, done.stderr
        assert "add  7" in done.stdout


def test_a_part_of_another_pipeline_needs_no_name(shell):
    done = shell(SCRIPTS / "nested.py")

    assert "✓ outer succeeded" in done.stdout


def test_calls_in_the_main_block_run_in_turn_and_give_their_values(shell):
    done = shell(SCRIPTS / "calls.py", "--", "--times", "2")

    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if " is " in line]
    assert lines == ["small is 1", "small is 2", "large is 101"]


THREADS = """
import threading
from kalelite import pipeline, step

@step
def take(n):
    return n

@pipeline
def p(n: int = 1):
    return take(n)

if __name__ == "__main__":
    got = []
    threads = [threading.Thread(target=lambda n=n: got.append(p(n))) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print("got", sorted(got))
"""


def test_calls_in_threads_of_the_script_count_too(shell):
    shell.write("script.py", THREADS)

    done = shell("script.py")

    assert done.returncode == 0
    assert "got [0, 1, 2]" in done.stdout
    assert done.stdout.count("✓ p succeeded") == 3


def test_check_runs_nothing_in_threads_of_the_script_either(shell):
    shell.write("script.py", THREADS)

    done = shell("check", "script.py")

    assert "✓ p: 1 step, 1 parameter, no problems" in done.stdout
    assert not list((shell.folder / ".kalelite").glob("runs/*"))


def test_values_from_the_command_line_go_before_those_of_the_call(shell):
    done = shell("-p", "a=7", SCRIPTS / "calls.py")

    assert "small is 8" in done.stdout
    assert "large is 8" in done.stdout


def test_a_value_that_the_call_leaves_out_may_come_from_the_command_line(shell):
    shell.write(
        "script.py",
        (SCRIPTS / "two.py").read_text("utf-8")
        + "\nif __name__ == '__main__':\n    print('sum', second())\n",
    )

    assert "sum 7" in shell("script.py", "-p", "b=5").stdout
    refused = shell("script.py")
    assert refused.returncode == 2
    assert "-p b=..." in refused.stderr


def test_only_the_named_pipeline_runs(shell):
    done = shell(SCRIPTS / "calls.py", "--pipeline", "large")

    assert "✓ large succeeded" in done.stdout
    assert "small" not in done.stdout


def test_the_script_s_own_arguments_are_its_own(shell):
    refused = shell(SCRIPTS / "calls.py", "--", "--tims", "2")

    assert refused.returncode == 3
    assert "unrecognized arguments: --tims" in refused.stderr
    assert "sys.exit(2) before a pipeline ran" in refused.stderr


def test_a_failed_step_is_shown_and_the_rest_told(shell):
    done = shell(SCRIPTS / "fails.py")

    assert done.returncode == 1
    assert "✗ decode failed" in done.stdout
    assert "return json.loads(text)" in done.stdout
    assert "JSONDecodeError: Expecting property name" in done.stdout
    assert "│ about to decode" in done.stdout
    assert "not run: report" in done.stdout
    assert "When that is corrected:  python -m kalelite resume" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_check_tells_all_problems_of_all_pipelines_and_starts_nothing(shell):
    done = shell("--check", SCRIPTS / "wrong.py")

    assert done.returncode == 4
    assert done.stderr.count("wrong.py:") == 4
    for line in (19, 21, 23, 29):
        assert f"wrong.py:{line}: " in done.stderr
    assert [*shell.folder.rglob("*")] == [shell.folder / ".kalelite"]


@pytest.mark.parametrize("words", [["script.py"], ["check", "script.py"]])
def test_all_that_cannot_travel_is_told_before_a_run_begins(shell, words):
    shell.write(
        "script.py",
        "import threading\nfrom kalelite import pipeline, step\n"
        "lock, rows = threading.Lock(), (n for n in range(3))\n"
        "@step\ndef one():\n    return lock\n@step\ndef two():\n    return list(rows)\n"
        "@pipeline\ndef p():\n    one()\n    two()\n",
    )

    done = shell(*words)

    assert done.returncode == 4
    assert done.stderr.startswith("error: 2 problems in script.py")
    assert "'lock' that step 'one' uses" in done.stderr
    assert "'rows' that step 'two' uses" in done.stderr
    assert done.stdout == ""
    assert not list((shell.folder / ".kalelite").glob("runs/*"))


@pytest.mark.parametrize("words", [["script.py"], ["check", "script.py"]])
def test_all_constants_that_cannot_travel_are_told_before_a_run_begins(shell, words):
    shell.write(
        "script.py",
        "import threading\nfrom kalelite import pipeline, step\n"
        "@step\ndef take(x, y=0):\n    return x\n@pipeline\ndef p():\n"
        "    take(threading.Lock(), open(__file__))\n    take(threading.Lock())\n",
    )

    done = shell(*words)

    assert done.returncode == 4
    assert done.stderr.startswith("error: 3 problems in script.py")
    for words in ("'x' of task 'take'", "'y' of task 'take'", "'x' of task 'take-2'"):
        assert f"argument {words} cannot travel" in done.stderr
    assert not list((shell.folder / ".kalelite").glob("runs/*"))


def test_check_for_machines(shell):
    done = shell("check", SCRIPTS / "wrong.py", "--output", "json")

    problems = [json.loads(line) for line in done.stdout.splitlines()]
    assert [problem["where"]["line"] for problem in problems] == [19, 21, 23, 29]


def test_check_of_a_good_script(shell):
    done = shell("check", SCRIPTS / "two.py")

    assert done.returncode == 0
    assert "✓ first: 1 step, 1 parameter, no problems" in done.stdout


@pytest.mark.parametrize(
    ("format", "start"),
    [("text", "hello"), ("mermaid", "flowchart"), ("svg", "<svg"), ("html", "<!doctype")],
)
def test_a_picture(shell, format, start):
    done = shell(SCRIPTS / "hello.py", "--graph", format)

    assert done.returncode == 0, done.stderr
    assert start in done.stdout.lower()
    assert "greet" in done.stdout


def test_a_picture_of_a_broken_pipeline_in_a_file(shell):
    done = shell(SCRIPTS / "wrong.py", "--graph", "svg", "-o", "wrong.svg", "--pipeline", "wrong")

    assert done.returncode == 4
    assert "3 problems" in done.stderr
    assert "<svg" in (shell.folder / "wrong.svg").read_text("utf-8")


@pytest.mark.parametrize("words", [("graph",), ("--graph",)])
@pytest.mark.parametrize(
    ("file", "start"),
    [("a.svg", "<svg"), ("a.HTML", "<!doctype"), ("a.mmd", "flowchart"), ("a.txt", "hello")],
)
def test_a_file_s_name_says_what_picture_it_is(shell, words, file, start):
    done = shell(*words, SCRIPTS / "hello.py", "-o", file)

    assert done.returncode == 0, done.stderr
    assert (shell.folder / file).read_text("utf-8").lower().startswith(start)


def test_json_has_the_standard_output_for_itself(shell):
    shell.write(
        "script.py",
        "import os\nprint('from python')\nos.system('echo from a child')\n"
        + (SCRIPTS / "hello.py").read_text("utf-8")
        + "\nif __name__ == '__main__':\n    print('value', hello())\n",
    )
    done = shell("script.py", "--output", "json")

    events = [json.loads(line)["event"] for line in done.stdout.splitlines()]
    assert events[0] == "run_started"
    assert events[-2:] == ["run_finished", "result"]
    assert "from a child" in done.stderr
    assert "value hello, world" in done.stderr


@pytest.mark.parametrize(
    ("source", "code", "message"),
    [
        ("import nosuchmodule", 3, "No module named 'nosuchmodule'"),
        ("1/0", 3, "ZeroDivisionError"),
        ("def f(:\n", 3, "SyntaxError"),
        ("x = 1", 4, "defines no pipeline"),
        ("import sys; sys.exit('no data')", 3, "sys.exit('no data') before a pipeline ran"),
        ("class Own(BaseException): pass\nraise Own('x')", 3, "Own: x"),
        ("raise KeyboardInterrupt", 130, "interrupted"),
        ("def f(): f()\nf()", 3, "RecursionError"),
    ],
)
def test_a_script_that_cannot_be_imported(shell, source, code, message):
    shell.write("script.py", source)

    done = shell("script.py")

    assert done.returncode == code
    assert message in done.stderr
    assert "kalelite/cli" not in done.stderr


def test_sys_exit_0_after_the_definitions_is_fine(shell):
    shell.write(
        "script.py", (SCRIPTS / "hello.py").read_text("utf-8") + "\nimport sys\nsys.exit(0)\n"
    )

    assert shell("script.py").returncode == 0


def test_an_exit_before_the_pipeline_is_no_success(shell):
    shell.write("script.py", "import sys\nsys.exit(0)\n")

    done = shell("script.py")

    assert done.returncode == 3
    assert "before it defined a pipeline" in done.stderr
    assert "sys.exit(0)" in done.stderr.splitlines()[1]


def test_the_help_of_the_script_itself(shell):
    shell.write("script.py", "import argparse\nargparse.ArgumentParser().parse_args()\n")

    done = shell("script.py", "--", "--help")

    assert done.returncode == 0
    assert "usage: script.py" in done.stdout
    assert not done.stderr


@pytest.mark.parametrize("change", ["os.remove(__file__)", "open(__file__, 'w').write('#')"])
def test_a_script_that_changes_itself_is_shown_as_it_was(shell, change):
    shell.write(
        "script.py",
        "import os\nfrom kalelite import pipeline, step\n@step\ndef fail():\n    return 1 / 0\n"
        f"@pipeline\ndef p():\n    return fail()\n{change}\n",
    )

    assert "return 1 / 0" in shell("script.py").stdout


def test_the_exit_code_of_a_script_that_ran_its_pipeline_is_its_own(shell):
    body = "\nif __name__ == '__main__':\n    hello()\n    raise SystemExit({})\n"
    for code, status in (("0", 0), ("7", 7), ("'sorry'", 1)):
        shell.write("script.py", (SCRIPTS / "hello.py").read_text("utf-8") + body.format(code))

        assert shell("script.py").returncode == status


def test_a_script_may_catch_the_failure_of_its_pipeline(shell):
    shell.write(
        "script.py",
        (SCRIPTS / "fails.py").read_text("utf-8")
        + "\nif __name__ == '__main__':\n    try:\n        fragile()\n"
        "    except ValueError:\n        print('caught')\n",
    )
    done = shell("script.py")

    assert done.returncode == 1
    assert "caught" in done.stdout


def test_an_odd_path_and_a_script_that_changes_folder(shell):
    name = "a 'b' $(c) ü.py"
    shell.write(name, "import os\nos.chdir('/')\n" + (SCRIPTS / "hello.py").read_text("utf-8"))
    done = shell(name)

    assert done.returncode == 0, done.stderr
    assert (shell.folder / ".kalelite" / "runs").is_dir()


def test_a_script_named_like_a_verb(shell):
    shutil.copy(SCRIPTS / "hello.py", shell.folder / "runs")

    assert "✓ hello succeeded" in shell("./runs").stdout


def test_a_reader_that_leaves_early_is_no_error(shell):
    command = f"{sys.executable} -m kalelite {SCRIPTS / 'hello.py'} | head -n 1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=shell.folder,
        env=shell.environ,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0
    assert done.stderr == ""


def test_without_a_face_the_script_runs_as_plain_python(shell):
    done = subprocess.run(
        [sys.executable, str(SCRIPTS / "calls.py"), "--times", "1"],
        cwd=shell.folder,
        env=shell.environ,
        capture_output=True,
        text=True,
        check=False,
    )

    assert "small is 1" in done.stdout


def test_config_names_who_said_what(shell):
    shell.write("setup.cfg", "[kalelite]\njobs = 3\nverify = off\n")

    done = shell("config", KALELITE_VERIFY="before")

    rows = {line.split()[0]: line.split()[1:3] for line in done.stdout.splitlines()[1:]}
    assert rows["jobs"] == ["3", str(shell.folder / "setup.cfg")]
    assert rows["verify"] == ["before", "KALELITE_VERIFY"]
    assert rows["output"] == ["auto", "default"]


def test_formats_tells_what_is_active(shell):
    done = shell("formats")

    assert re.search(r"^active +pickle", done.stdout, re.MULTILINE)
    assert re.search(r"^active +plain +plain.json/1", done.stdout, re.MULTILINE)
    assert "plain is not installed" not in done.stdout


@pytest.mark.parametrize("words", [["--help"], ["runs", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(words):
    heavy = ["rich", "numpy", "kfp", "kubernetes", "cloudpickle", "click"]
    code = (
        "import sys; from kalelite.cli import main; main(sys.argv[1:]);"
        f"print([m for m in {heavy} if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=True
    )

    assert done.stdout.splitlines()[-1] == "[]"


needs_kfp = pytest.mark.skipif(
    importlib.util.find_spec("kfp") is None, reason="kfp is not here: pip install 'kalelite[kfp]'"
)


@needs_kfp
def test_a_script_compiles_with_the_values_of_the_command_line(shell):
    done = shell(SCRIPTS / "calls.py", "--compile", "out.yaml", "-p", "a=41")

    assert done.returncode == 0, done.stderr
    assert "compiled small to out.yaml" in done.stdout
    assert "41" in (shell.folder / "out.yaml").read_text("utf-8")
    assert "small is" not in done.stdout


@needs_kfp
@pytest.mark.parametrize(
    ("file", "hint"), [("none/a.yaml", "There is no folder "), ("a.yaml", "It is a folder")]
)
def test_a_compiled_pipeline_needs_a_folder(shell, file, hint):
    (shell.folder / "a.yaml").mkdir()

    done = shell(SCRIPTS / "hello.py", "--kfp", "--compile", file)

    assert done.returncode == 2
    assert "cannot be written" in done.stderr
    assert hint in done.stderr


@needs_kfp
def test_a_dry_run_for_kubeflow_touches_nothing(shell):
    done = shell(SCRIPTS / "hello.py", "--kfp", "--dry-run", KALELITE_MARSHAL_VOLUME_SIZE="7Gi")

    assert done.returncode == 0, done.stderr
    assert "7Gi" in done.stdout
    assert done.stdout.endswith("\nEvery check passed. Nothing was created.\n")
    assert [*shell.folder.rglob("*")] == [shell.folder / ".kalelite"]


@needs_kfp
def test_the_environment_goes_before_the_decorator(shell):
    text = (SCRIPTS / "hello.py").read_text("utf-8")
    options = "(marshal_volume=True, marshal_volume_size='3Gi')"
    shell.write("script.py", text.replace("@pipeline", "@pipeline" + options))

    words = ["script.py", "--kfp", "--dry-run"]
    assert "3Gi" in shell(*words).stdout
    assert "7Gi" in shell(*words, KALELITE_MARSHAL_VOLUME_SIZE="7Gi").stdout


def test_submitting_without_an_address_says_what_to_give(shell):
    done = shell(SCRIPTS / "hello.py", "--kfp", KUBECONFIG="/nowhere")

    assert done.returncode == 5
    assert "KALELITE_KFP_HOST" in done.stderr


FILED = """
from kalelite import pipeline, step

@step
def one():
    return 1

@pipeline(experiment="digits")
def p():
    one()
"""


def test_a_run_keeps_its_experiment(shell):
    shell(shell.write("filed.py", FILED))

    assert "experiment digits" in " ".join(shell("show").stdout.split())


def test_runs_show_and_logs_tell_of_past_runs(shell):
    assert "no runs" in shell("runs").stdout
    shell(SCRIPTS / "hello.py", "-p", "name=one")
    shell(SCRIPTS / "fails.py")

    runs = shell("runs").stdout.splitlines()
    shown = shell("show").stdout
    log = shell("logs", "last", "load").stdout
    first = runs[2].split()[0]

    assert [line.split()[1:3] for line in runs[1:]] == [
        ["fragile", "failed"],
        ["hello", "succeeded"],
    ]
    assert "✗ decode" in shown
    assert "JSONDecodeError" in shown
    assert log == "reading\n"
    assert "'hello, one'" in shell("show", first).stdout
    assert [
        json.loads(line)["pipeline"]
        for line in shell("runs", "--output", "json").stdout.splitlines()
    ] == ["fragile", "hello"]
    assert "Did you mean decode?" in shell("logs", "last", "decod").stderr


def test_clean_frees_what_no_run_refers_to(shell):
    shell(SCRIPTS / "hello.py", "-p", "name=one")
    shell(SCRIPTS / "hello.py", "-p", "name=" + "two" * 1000)
    home = shell.folder / ".kalelite"
    newest = sorted((home / "runs").iterdir())[-1]
    before = shell("clean", "--store", "--older-than", "1ms").stdout
    shutil.rmtree(newest)

    after = shell("clean", "--store", "--older-than", "1ms").stdout

    assert before.startswith("freed 0 B in 0 files; 2 values of runs kept")
    assert re.match(r"freed [1-9].* in [1-9]\d* files?; 1 value of runs kept", after)
    assert "'hello, one'" in shell("show").stdout
    assert shell("clean").returncode == 2
