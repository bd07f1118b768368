"""Bad input: refused with a sentence, all of it at once, before anything is written."""

from __future__ import annotations

import re

import pytest
from kubeflow_scripts import pipeline_in

from kalelite.backends.kubeflow.compile.build import compile_plan
from kalelite.backends.kubeflow.kubeflow_backend import KubeflowBackend
from kalelite.errors import CaptureError, PipelineError

HEAD = "from kalelite import *\nfrom kalelite import ExitHandler, If, pipeline, step\n"


def problems_of(write_script, text, **settings):
    plan = pipeline_in(write_script(HEAD + text))[1].plan()
    return KubeflowBackend(**settings).check(plan)


def one(write_script, options="", body="work()", **settings):
    text = (
        f"@step({options})\ndef work(x=None): ...\n@pipeline\ndef main(p: str = 'a'):\n    {body}\n"
    )
    (problem,) = problems_of(write_script, text, **settings)
    assert problem.hint
    assert problem.where
    return problem.message


@pytest.mark.parametrize(
    "options",
    [
        "env={'A': '{{workflow.name}}'}",
        "annotations={'a': 'x {{y}} z'}",
        "display_name='{{x}}'",
        "volumes={'/data/{{x}}': 'claim'}",
    ],
)
def test_braces_that_argo_would_expand(write_script, options):
    assert "'{{', which Argo would expand" in one(write_script, options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("env={'A': 'pa$$word'}", "'$$', of which Kubernetes makes '$'"),
        ("env={'A': '1', 'B': 'x$(A)'}", "'$(A)', which Kubernetes would expand"),
        ("annotations={'a': '$(KFP_POD_NAME)'}", "'$(KFP_POD_NAME)', which Kubernetes"),
    ],
)
def test_dollars_that_kubernetes_would_expand(write_script, options, words):
    assert words in one(write_script, options)


def test_dollars_that_nobody_expands_are_fine(write_script):
    text = (
        "@step(env={'A': '$5 ${HOME} $(date)'})\ndef work(x): ...\n"
        "@pipeline\ndef main(p: str = '$(date) $HOME'):\n    work('$$')\n    work(p)\n"
    )
    assert problems_of(write_script, text) == []


def test_dollars_in_a_default_and_in_the_words_of_a_container(write_script):
    text = (
        "from kalelite import InputValue, container_step\n"
        "c = container_step('c', image='i', command=['sh', '-c', 'echo $$', InputValue('v')],"
        " inputs={'v': str})\n"
        "@pipeline\ndef main(p: str = 'a$$'):\n    c(p)\n    c('b$$')\n"
    )
    messages = [problem.message for problem in problems_of(write_script, text)]
    assert sum("'$$', of which Kubernetes makes '$'" in message for message in messages) == 4
    assert any("parameter 'p'" in message for message in messages)
    assert any("'v' of container step 'c'" in message for message in messages)


def test_braces_in_a_default(write_script):
    text = "@step\ndef work(x): ...\n@pipeline\ndef main(p: str = 'a {{b}}'):\n    work(p)\n"
    (problem,) = problems_of(write_script, text)
    assert "parameter 'p' holds '{{'" in problem.message


SECRETIVE = "@step\ndef work(x): ...\n@pipeline\ndef main(api_token: str{}):\n    work(api_token)\n"


@pytest.mark.parametrize(("default", "arguments"), [(" = 'abc'", {}), ("", {"api_token": "abc"})])
def test_a_secret_among_the_parameters(write_script, default, arguments):
    (problem,) = problems_of(write_script, HEAD + SECRETIVE.format(default), arguments=arguments)

    assert "parameter 'api_token' is named like a secret" in problem.message
    assert "secrets={'API_TOKEN': " in problem.hint
    assert "abc" not in f"{problem.message} {problem.hint}"


def test_what_is_said_to_be_no_secret_among_the_parameters(write_script):
    said = " = NotSecret('public')"
    words = HEAD + SECRETIVE.format(said)
    assert problems_of(write_script, words, arguments={"api_token": "abc"}) == []
    untyped = words.replace("api_token: str", "api_token")
    assert problems_of(write_script, untyped, arguments={"api_token": "abc"}) == []


def test_braces_in_constants_and_documentation_are_fine(write_script, tmp_path):
    text = (
        "@step\ndef work(x):\n    '''{{doc}}'''\n"
        "@pipeline\ndef main():\n    '''All {{of}} it.'''\n    work('{{workflow.name}}')\n"
    )
    plan = pipeline_in(write_script(HEAD + text))[1].plan()
    compile_plan(plan, tmp_path / "out.yaml")
    written = (tmp_path / "out.yaml").read_text()
    for allowed in ("{{$}}", "{{$.inputs", "{{$.outputs", "{{$.pipeline_job"):
        written = written.replace(allowed, "")
    assert "{{" not in written


@pytest.mark.parametrize(
    ("default", "words"),
    [
        ("p: int = 2**53 + 1", "round"),
        ("p: float = float('nan')", "JSON"),
        ("p: list = [2**60]", "round"),
    ],
)
def test_numbers_that_kfp_would_change(write_script, default, words):
    text = f"@step\ndef work(x): ...\n@pipeline\ndef main({default}):\n    work(p)\n"
    (problem,) = problems_of(write_script, text)
    assert words in problem.message


@pytest.mark.parametrize(
    "default", ["p: tuple[int, ...] = (2**60,)", "p: float | None = float('inf')"]
)
def test_numbers_that_travel_as_text_are_fine(write_script, default):
    text = f"@step\ndef work(x): ...\n@pipeline\ndef main({default}):\n    work(p)\n"
    assert problems_of(write_script, text) == []


def test_mounts_that_collide(write_script):
    assert "2 mounts at /marshal" in one(write_script, "volumes={'/marshal': 'other'}")
    message = one(write_script, "volumes={'/x': 'mine'}", marshal_volume="mine")
    assert "'mine' is mounted 2 times" in message


@pytest.mark.parametrize("claim", ["dotted.name", "x" * 64])
def test_claims_that_kfp_cannot_mount(write_script, claim):
    assert "KFP cannot mount" in one(write_script, f"volumes={{'/x': {claim!r}}}")


def test_an_exit_handler_that_waits_for_a_step(write_script):
    text = (
        "@step\ndef work(x=None): ...\n@pipeline\ndef main():\n"
        "    first = work()\n    with ExitHandler(work(1, after=first)):\n        work(2)\n"
    )
    try:
        messages = [problem.message for problem in problems_of(write_script, text)]
    except PipelineError as error:
        messages = [problem.message for problem in error.problems]
    assert messages


def test_all_problems_come_together(write_script):
    text = (
        "@step(ephemeral_storage='1Gi', env={'A': '{{x}}'})\ndef one(): ...\n"
        "@step(ephemeral_storage='2Gi')\ndef two(): ...\n"
        "@pipeline\ndef main():\n    one()\n    two()\n"
    )
    assert len(problems_of(write_script, text)) == 3


@pytest.mark.parametrize("count", [500, 600, 800])
def test_too_many_steps_are_refused_with_limit_and_estimate(write_script, tmp_path, count):
    text = f"@step\ndef work(x): ...\n@pipeline\ndef main():\n    for n in range({count}):\n        work(n)\n"
    plan = pipeline_in(write_script(HEAD + text))[1].plan()
    with pytest.raises(PipelineError, match=rf"{count} steps make a Workflow of .* MB") as raised:
        compile_plan(plan, tmp_path / "out.yaml")
    fitting = int(re.search(r"Argo takes 1.0 MB, (\d+) of them", str(raised.value))[1])
    assert 300 < fitting < 500
    assert not (tmp_path / "out.yaml").exists()


def test_too_much_code_is_refused(write_script, tmp_path):
    text = (
        "import random\nDATA = random.Random(0).randbytes(900_000)\n"
        "@step\ndef work(): return len(DATA)\n@pipeline\ndef main():\n    work()\n"
    )
    plan = pipeline_in(write_script(HEAD + text))[1].plan()
    with pytest.raises(PipelineError, match="the code alone is too large"):
        compile_plan(plan, tmp_path / "out.yaml")


CAT = (
    "from kalelite import InputPath, InputValue, OutputPath, container_step, load_component\n"
    "from pathlib import Path\n"
    "cat = container_step('cat', image='busybox', command=['cat', InputPath('p')],"
    " inputs={'p': Path})\n"
)


def test_an_exit_handler_that_takes_a_file(write_script):
    text = CAT + (
        "@step\ndef work(): ...\n@pipeline\ndef main():\n"
        "    with ExitHandler(cat(Path('/data/x'))):\n        work()\n"
    )
    (problem,) = problems_of(write_script, text)
    assert "'cat' is a container that takes a file" in problem.message
    assert "InputValue" in problem.hint


def test_braces_in_what_a_container_has_as_a_value_and_as_a_file(write_script):
    text = CAT + (
        "echo = container_step('echo', image='busybox', command=['echo', InputValue('v')],"
        " args=[InputPath('f')], inputs={'v': str, 'f': str})\n"
        "@pipeline\ndef main():\n    echo('{{x}}', '{{y}}')\n"
    )
    (problem,) = problems_of(write_script, text)
    assert "'v' of container step 'echo' holds '{{'" in problem.message
    assert "InputPath('v')" in problem.hint


def test_a_container_that_ignores_failures_and_takes_a_value(write_script):
    text = (
        "from kalelite import InputValue, container_step\n"
        "c = container_step('c', image='i', command=['echo', InputValue('v')], inputs={'v': str},"
        " ignore_failures=True)\n"
        "@step\ndef work() -> str: ...\n"
        "@pipeline\ndef main():\n    c(work())\n    c.after(work())('constant')\n"
    )
    (problem,) = problems_of(write_script, text)
    assert "'c' ignores failures and takes what another step gives" in problem.message
    assert problem.hint


def test_a_container_beside_a_step_that_ignores_failures(write_script):
    """It could neither hide that it fails nor see that another has failed."""
    text = (
        "from kalelite import container_step\n"
        "c = container_step('c', image='i', command=['true'])\n"
        "@step(ignore_failures=True)\ndef report(): ...\n"
        "@pipeline\ndef main():\n    first = c()\n    last = report.after(first)()\n"
        "    c.after(last)()\n"
    )
    before, after = problems_of(write_script, text)
    assert "stands before a step that ignores failures" in before.message
    assert "stands after a step that ignores failures" in after.message


def test_all_constants_that_cannot_travel_are_told_at_once(write_script, tmp_path):
    text = (
        "import threading\n@step\ndef work(x, y=None): ...\n"
        "@pipeline\ndef main():\n"
        "    work(threading.Lock(), threading.Lock())\n    work(threading.Lock())\n"
    )
    plan = pipeline_in(write_script(HEAD + text))[1].plan()

    with pytest.raises(CaptureError) as caught:
        compile_plan(plan, tmp_path / "main.yaml")

    assert [problem.message.partition(" cannot")[0] for problem in caught.value.problems] == [
        "argument 'x' of task 'work'",
        "argument 'y' of task 'work'",
        "argument 'x' of task 'work-2'",
    ]
    assert not (tmp_path / "main.yaml").exists()
