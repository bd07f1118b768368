"""Container steps that run here: through a stand-in engine, and through a real one if it answers."""

import contextlib
import fcntl
import functools
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from engine_standin import IMAGE, Real, StandIn, until
from local_container_steps import a_file, a_folder, double, texts

from kalelite import If, ParallelFor, container_step, load_component
from kalelite.authoring.decorators import pipeline
from kalelite.backends.local.containers.container_engine import Engine, find
from kalelite.backends.local.local_settings import LocalSettings
from kalelite.backends.local.run import run_plan
from kalelite.errors import UsageError
from kalelite.plan.container_command import Concat, IfPresent, InputPath, InputValue, OutputPath
from kalelite.plan.options import step_options
from kalelite.plan.options.values import Retries, Volume


@pytest.fixture
def standin(monkeypatch):
    """A stand-in for Docker, the only engine on PATH."""
    engine = StandIn()
    monkeypatch.setenv("PATH", f"{engine.path}:/bin")
    if Path("/bin").is_symlink():
        monkeypatch.setenv("PATH", str(engine.path))
    yield engine
    engine.close()


@functools.cache
def _real():
    """The machine's own engine, or why there is none."""
    found, reason = find()
    if found is None:
        return None, reason or "install Docker or Podman"
    engine = Real(found.program)
    reason = engine.prepare()
    return (None, reason) if reason else (engine, "")


@pytest.fixture(params=["stand-in", pytest.param("real", marks=pytest.mark.slow)])
def engine(request):
    """Both kinds of engine."""
    if request.param == "stand-in":
        yield request.getfixturevalue("standin")
        return
    real, reason = _real()
    if real is None:
        pytest.skip(f"no container engine to try: {reason}")
    # The machine's engine shows the containers of all tests, which may run in several processes.
    with Path(tempfile.gettempdir(), "kalelite-tests-engine.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield real


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs a pipeline; the working folder is the test's own."""
    monkeypatch.chdir(tmp_path)

    def run(body, **settings):
        wanted = pipeline(body)
        settings = {"home": tmp_path / "home", "jobs": 2, "preload": False, **settings}
        return run_plan(wanted.plan(), {}, settings=LocalSettings(**settings))

    return run


def shell(script, *words, name="tool", image=IMAGE, **more):
    """A step that runs a shell script; ``$0``, ``$1`` … are the words."""
    return container_step(name, image=image, command=["sh", "-c", script, *words], **more)


def failure_of(result, task="tool"):
    assert result.state == "failed"
    failure = result.records[task].failure
    return f"{failure.type}: {failure.message} {failure.hint}"


def log_of(result, task="tool"):
    return (result.folder / "tasks" / task / "log.txt").read_text()


# --- what goes in and comes out --------------------------------------------------------------


def test_values_go_in_as_text(engine, run):
    """As KFP writes them: texts as they are, the rest as JSON."""
    inputs = {"i": int, "f": float, "b": bool, "s": str, "l": list, "d": dict}
    say = shell(
        'for x; do echo "$x"; done > "$0"',
        OutputPath("said"),
        *map(InputValue, inputs),
        Concat(("--", InputValue("i"))),
        inputs=inputs,
        outputs={"said": str},
    )

    def p():
        return say(3, 0.5, True, 'a "b"\n$HOME é', [1, "x"], {"k": None})

    expected = '3\n0.5\ntrue\na "b"\n$HOME é\n[1, "x"]\n{"k": null}\n--3\n'
    assert run(p).value == expected


def test_files_and_folders_go_in(engine, run):
    read = shell(
        'cat "$0" "$1" "$2"/one.txt; cat "$0" "$1" "$2"/one.txt > "$3"',
        *map(InputPath, ("file", "text", "folder")),
        OutputPath("all"),
        inputs={"file": Path, "text": dict, "folder": Path},
        outputs={"all": str},
    )

    def p():
        return read(a_file("a file,"), {"a": 1}, a_folder())

    result = run(p)
    assert result.value == 'a file,{"a": 1}one'
    assert log_of(result) == 'a file,{"a": 1}one'


def test_outputs_come_out_as_their_types(engine, run):
    types = {"i": int, "f": float, "b": bool, "s": str, "l": list, "d": dict}
    script = " ".join(
        f"echo '{text}' > \"${number}\";"
        for number, text in enumerate(["3", "0.5", "true", " a ", "[1, 2]", '{"k": 1}'])
    )
    make = shell(script, *map(OutputPath, types), outputs=types)

    def p():
        i, f, b, s, l, d = make()
        return i, f, b, s, l, d

    assert run(p).value == (3, 0.5, True, " a \n", [1, 2], {"k": 1})


def test_files_come_out_and_go_on(engine, run):
    make = shell(
        'mkdir "$0"; echo one > "$0/1.txt"; echo two > "$1"',
        OutputPath("folder"),
        OutputPath("file"),
        name="make",
        outputs={"folder": Path, "file": Path},
    )
    count = shell(
        'cat "$0" "$1"/* | wc -l > "$2"',
        InputPath("file"),
        InputPath("folder"),
        OutputPath("lines"),
        name="count",
        inputs={"file": Path, "folder": Path},
        outputs={"lines": int},
    )

    def p():
        folder, file = make()
        lines = count(file, folder)
        return double(lines), texts(folder)

    result = run(p)
    assert result.value == (4, {"1.txt": "one\n"})
    # What lay beside the records has gone into the store.
    assert not list((result.folder / "tasks").glob("*/container-*"))


def test_optional_inputs_and_defaults(standin, run):
    say = shell(
        'echo "$@" > "$0"',
        OutputPath("said"),
        InputValue("n"),
        IfPresent("more", ("--more", InputValue("more")), ("--less",)),
        inputs={"n": 7, "more": str},
        outputs={"said": str},
    )
    optional = load_component(COMPONENT)

    def p():
        return say("x"), say("x", n=1), optional("ab"), optional("ab", "y")

    assert run(p).value == ("7 --more x\n", "1 --more x\n", ("ab\n", 3), ("ab y\n", 5))


def test_without_a_command_the_image_says_what_runs(standin, run):
    quiet = container_step("tool", image=IMAGE, args=["echo hello"])

    def p():
        quiet()

    result = run(p)
    assert log_of(result) == "hello\n"
    assert standin.runs()[0].entrypoint is None


def test_in_loops_and_conditions(standin, run):
    square = shell(
        'echo $(($1 * $1)) > "$0"',
        OutputPath("n"),
        InputValue("x"),
        inputs={"x": int},
        outputs={"n": int},
    )

    def p():
        with ParallelFor([1, 2, 3]) as item:
            n = square(item)
            with If(n > 3):
                double(n)

    result = run(p)
    assert result.state == "succeeded"
    assert [result.output(f"tool[{i}]") for i in range(3)] == [1, 4, 9]
    assert {name for name in result.records if name.startswith("double")} == {
        "double[1]",
        "double[2]",
    }


# --- components ------------------------------------------------------------------------------

COMPONENT = f"""
name: Say
inputs:
- {{name: Text, type: String}}
- {{name: More, type: String, optional: true}}
outputs:
- {{name: Said, type: String}}
- {{name: Length, type: Integer}}
implementation:
  container:
    image: {IMAGE}
    command: [sh, -c, 'f=$0; n=$1; shift; echo "$@" > "$f"; wc -c < "$f" > "$n"']
    args:
    - {{outputPath: Said}}
    - {{outputPath: Length}}
    - {{inputValue: Text}}
    - if:
        cond: {{isPresent: More}}
        then: [{{inputValue: More}}]
"""

COMPILED = f"""
components:
  comp-say:
    executorLabel: exec-say
    inputDefinitions:
      parameters:
        text: {{parameterType: STRING}}
        times: {{parameterType: NUMBER_INTEGER, defaultValue: 2.0, isOptional: true}}
    outputDefinitions:
      parameters:
        said: {{parameterType: STRING}}
deploymentSpec:
  executors:
    exec-say:
      container:
        image: {IMAGE}
        command: [sh, -c, 'echo "$1" "$2" "$HOW" > "$0"']
        args:
        - "{{{{$.outputs.parameters['said'].output_file}}}}"
        - "--text={{{{$.inputs.parameters['text']}}}}"
        - "{{{{$.inputs.parameters['times']}}}}"
        env:
        - {{name: HOW, value: loudly}}
pipelineInfo: {{name: say}}
root: {{inputDefinitions: {{}}, dag: {{tasks: {{}}}}}}
schemaVersion: 2.1.0
"""


def test_a_component_of_v1_runs(engine, run):
    say = load_component(COMPONENT)

    def p():
        said, length = say("hello", "you")
        return said, length

    assert run(p).value == ("hello you\n", 10)


def test_a_compiled_component_runs(engine, run):
    say = load_component(COMPILED)

    def p():
        return say("hello")

    assert run(p).value == "--text=hello 2 loudly\n"


# --- options ---------------------------------------------------------------------------------


def test_options_become_words_of_the_command(standin, run, tmp_path, monkeypatch):
    monkeypatch.setenv("TOKEN", "from here")
    (tmp_path / "data").mkdir()
    tool = shell(
        'echo "$MODE $TOKEN" > "$0"; touch /mnt/kalelite-data/seen',
        OutputPath("said"),
        outputs={"said": str},
        env={"MODE": "a b"},
        secrets={"TOKEN": ("name", "key")},
        cpu="500m",
        memory="64Mi",
        gpu=2,
        volumes=[Volume("claim", "/mnt/kalelite-data")],
        security_context={"run_as_user": 1000, "run_as_group": 100},
    )

    def p():
        return tool()

    result = run(p, gpus=("3", "5"), volumes={"claim": tmp_path / "data"})
    assert result.value == "a b from here\n"
    assert (tmp_path / "data" / "seen").exists()
    said = standin.runs()[0]
    assert said.env == ["MODE=a b", "TOKEN"]
    assert (said.cpus, said.memory, said.user) == ("0.5", str(64 << 20), "1000:100")
    assert said.gpus == '"device=3,5"'
    assert said.pull == "never"
    assert said.image == IMAGE
    assert said.entrypoint == "sh"


def test_files_of_a_secret_are_those_of_this_machine(engine, run, tmp_path):
    creds = tmp_path / "creds"
    creds.mkdir()
    (creds / "user").write_text("me")
    tool = shell(
        'cat "$0/user" > "$1"',
        InputValue("folder"),
        OutputPath("said"),
        inputs={"folder": str},
        outputs={"said": str},
        secrets={str(creds): "name"},
        config_maps={str(tmp_path / "absent"): "name"},
    )

    def p():
        return tool(str(creds))

    assert run(p).value == "me"


def test_a_volume_whose_folder_is_not_there_is_refused(standin, run, tmp_path):
    tool = shell("true", volumes=[Volume("claim", "/mnt/kalelite-data")])

    def p():
        tool()

    with pytest.raises(UsageError, match="of the volume 'claim' is not there"):
        run(p, volumes={"claim": tmp_path / "nowhere"})
    assert not standin.runs()


def test_podman_and_weak_engines_are_spoken_to_in_their_own_way():
    options, problems = step_options(cpu=1, memory="64Mi", gpu=2)
    assert not problems
    podman = Engine("/usr/bin/podman", podman=True, cpu=False, memory=False)
    assert podman.flags(options, ("0", "1"), {}, {}) == [
        "--device=nvidia.com/gpu=0",
        "--device=nvidia.com/gpu=1",
    ]


@pytest.mark.parametrize(
    ("policy", "there", "pulled"),
    [
        (None, True, 0),
        (None, False, 1),
        ("IfNotPresent", True, 0),
        ("Always", True, 1),
        ("Never", True, 0),
    ],
)
def test_pull_policy(standin, run, policy, there, pulled):
    standin.registry = {"registry.test/a": ["sh", "-c"]}
    if there:
        standin.images |= standin.registry
    options = {} if policy is None else {"pull_policy": policy}
    tool = shell("true", image="registry.test/a", **options)

    def p():
        tool()

    assert run(p).state == "succeeded"
    assert len(standin.of("pull")) == pulled


def test_retries(standin, run, tmp_path):
    mark = tmp_path / "mark"
    tool = shell(f"test -e {mark} || {{ touch {mark}; exit 1; }}", retries=Retries(2))

    def p():
        tool()

    result = run(p)
    assert result.state == "succeeded"
    assert result.records["tool"].attempt == 2
    assert len({said.name for said in standin.runs()}) == 2


def test_a_cached_result_needs_no_container(standin, run):
    def p():
        tool = shell('echo 3 > "$0"', OutputPath("n"), outputs={"n": int}, cache=True)
        return double(tool())

    assert [run(p).value, run(p).value] == [6, 6]
    assert len(standin.runs()) == 1


@pytest.mark.parametrize("settings", [{"debug": True}, {"start": "spawn"}], ids=str)
def test_other_ways_to_run(standin, run, settings, capfd):
    tool = shell('echo said; echo 3 > "$0"', OutputPath("n"), outputs={"n": int})

    def p():
        return double(tool())

    result = run(p, **settings)
    assert result.value == 6
    assert "said\n" in (capfd.readouterr().out if "debug" in settings else log_of(result))


# --- what goes wrong -------------------------------------------------------------------------


def test_a_failure_tells_the_exit_code_and_the_last_words(engine, run):
    tool = shell('echo no such thing; touch "$0"; exit 3', OutputPath("n"), outputs={"n": int})

    def p():
        return double(tool())

    result = run(p)
    message = "ContainerError: its container ended with exit code 3; it printed last: no such thing"
    assert failure_of(result).startswith(message)
    assert log_of(result) == "no such thing\n"
    assert "double" not in result.records
    assert not result.records["tool"].outputs


@pytest.mark.parametrize(
    ("script", "kind", "words"),
    [
        ("true", int, "did not write the output 'n'"),
        ('echo many > "$0"', int, "its output 'n': 'many' is not an int"),
        ('printf "\\377" > "$0"', str, "it is no text in UTF-8"),
        ('ln -s /etc/hostname "$0"', str, "did not write the output 'n'"),
        (
            "kill -9 $$",
            int,
            "was killed (SIGKILL), by a person or for want of memory beyond its 1Gi",
        ),
        ("nothing-of-that-name", int, "exit code 127: a program is not there"),
    ],
)
def test_what_a_container_does_wrong_is_told(standin, run, script, kind, words):
    tool = shell(script, OutputPath("n"), outputs={"n": kind}, memory="1Gi")

    def p():
        return tool()

    assert words in failure_of(run(p))


@pytest.mark.parametrize(
    ("argument", "word", "words"),
    [
        (Path("/nowhere/data.csv"), InputPath("x"), "there is none at '/nowhere/data.csv'"),
        (Path("/nowhere/data.csv"), InputValue("x"), "there is none at '/nowhere/data.csv'"),
    ],
)
def test_an_input_file_that_is_not_there(standin, run, argument, word, words):
    tool = shell("true", word, inputs={"x": Path})

    def p():
        tool(argument)

    assert words in failure_of(run(p))
    assert not standin.runs()


def test_a_text_too_long_for_a_command_line(standin, run):
    tool = shell("true", InputValue("x"), inputs={"x": str})

    def p():
        tool("x" * 200_000)

    assert "Take it as a file: InputPath('x')." in failure_of(run(p))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, ["'registry.test/none' was not found", "manifest unknown", "docker login"]),
        ({"pull_policy": "Never"}, ["not on this machine", "docker pull registry.test/none"]),
    ],
)
def test_an_image_that_is_not_there(standin, run, options, words):
    tool = shell("true", image="registry.test/none", **options)

    def p():
        tool()

    said = failure_of(run(p))
    assert all(word in said for word in words), said


def test_a_word_of_the_engine_itself(standin, run):
    standin.images = {}
    standin.registry = {}
    tool = shell("true", image="registry.test/a", pull_policy="Always")
    # It is gone again between the pull and the start.
    standin.answer = _gone(standin.answer)

    def p():
        tool()

    assert "docker could not start its container; it printed last: Unable" in failure_of(run(p))


def _gone(answer):
    return lambda argv, env, tell: 0 if argv[0] == "pull" else answer(argv, env, tell)


# --- no engine -------------------------------------------------------------------------------

one, two = (shell("true", name=name) for name in ("one", "two"))


def _refused(run, tmp_path):
    def p():
        a_file("x")
        one()
        two()
        one()

    with pytest.raises(UsageError) as caught:
        run(p)
    assert not (tmp_path / "home" / "runs").exists()
    assert caught.value.where is not None
    return f"{caught.value.message}. {caught.value.hint}"


def test_without_an_engine_every_container_step_is_named_before_anything_runs(
    run, tmp_path, monkeypatch
):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert _refused(run, tmp_path) == (
        "container steps 'one', 'two' need a container engine, and there is none on this machine. "
        "Install Docker or Podman, or compile the pipeline for Kubeflow with --kfp."
    )


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("echo 'Is the daemon running?' >&2; exit 1", "does not answer: Is the daemon running?"),
        ('echo \'{"ServerErrors": ["no daemon"]}\'', "does not answer: no daemon"),
        ("exit 1", "does not answer: `docker info` fails"),
    ],
)
def test_an_engine_that_does_not_answer(run, tmp_path, monkeypatch, body, words):
    docker = tmp_path / "docker"
    docker.write_text(f"#!/bin/sh\n{body}\n")
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    said = _refused(run, tmp_path)
    assert words in said
    assert "Start it, or" in said


def test_a_plan_without_container_steps_asks_for_no_engine(standin, run):
    def p():
        return double(2)

    assert run(p).value == 4
    assert not standin.calls


def test_an_engine_that_cannot_bound_memory_is_named_once(standin, run, capsys):
    standin.info = {"host": {"cgroupControllers": []}}
    tool = shell("true", memory="64Mi")

    def p():
        tool()
        tool()

    assert run(p).state == "succeeded"
    assert standin.runs()[0].memory is None
    assert capsys.readouterr().err.count("docker cannot hold containers to memory") == 1


# --- ends ------------------------------------------------------------------------------------


@pytest.mark.parametrize("trap", ["", "trap '' TERM; "], ids=["gentle", "stubborn"])
def test_a_timeout_stops_the_container(engine, run, trap):
    tool = shell(f"{trap}echo up; sleep 100 & wait; sleep 100", timeout=2)

    def p():
        tool()

    result = run(p, grace=6.0)
    assert "it took longer than its timeout of 2 s" in failure_of(result)
    assert not engine.containers


SCRIPT = """
import sys
from pathlib import Path
from kalelite import container_step, pipeline
from kalelite.backends.local.local_settings import LocalSettings
from kalelite.backends.local.run import run_plan

tool = container_step("tool", image=sys.argv[2], command=["sh", "-c", "trap '' TERM; sleep 100"])

@pipeline
def p():
    tool()
    tool()

settings = LocalSettings(home=Path(sys.argv[1]), jobs=2, grace=float(sys.argv[3]), preload=False)
print(run_plan(p.plan(), {}, settings=settings).state, flush=True)
"""


@pytest.mark.parametrize(
    ("signals", "grace"),
    [([signal.SIGINT], 3), ([signal.SIGINT, signal.SIGINT], 60), ([signal.SIGKILL], 60)],
    ids=["interrupted", "interrupted-twice", "killed"],
)
def test_no_container_is_left_behind(engine, tmp_path, signals, grace):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    argv = [sys.executable, str(script), str(tmp_path / "home"), IMAGE, str(grace)]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        until(lambda: len(engine.containers) == 2)
        for number, each in enumerate(signals):
            if number:
                # The note that the first one was heard.
                assert "Stopping" in process.stderr.readline()
            os.kill(process.pid, each)
        until(lambda: not engine.containers)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=60)
        assert process.returncode is not None
    finally:
        process.kill()
        process.communicate()


def test_the_record_is_as_any_other(standin, run):
    tool = shell('echo 3 > "$0"', OutputPath("n"), outputs={"n": int})

    def p():
        return tool()

    result = run(p)
    record = json.loads((result.folder / "tasks" / "tool" / "record.json").read_text())
    assert record["status"] == "succeeded"
    assert record["outputs"]["n"]["native"] == 3
    assert isinstance(result.output("tool.n"), int)
