"""The estimate of a Workflow, against KFP's own compiled pairs and by its limits."""

from __future__ import annotations

import io
import zipfile

import pytest

from kalelite.backends.kubeflow.compile.workflow_size import (
    LIMIT,
    SMALLEST_CODE,
    estimate,
    human,
    least,
    tasks_in,
)

# Bytes of IR, tasks and bytes of Workflow of pairs in KFP's own tests (release 2.17).
PAIRS = [(30987, 28, 69503), (30940, 27, 80674), (18849, 13, 47538), (13158, 10, 35733)]


@pytest.mark.parametrize(("ir", "tasks", "workflow"), PAIRS)
def test_estimate_of_what_is_submitted(ir, tasks, workflow):
    assert estimate(ir, tasks).spec == pytest.approx(workflow, rel=0.2)


def test_code_counts_once_for_each_copy():
    assert estimate(1000, 1, 80_000).total - estimate(1000, 1).total == 4 * 80_000


def test_the_estimate_before_compiling_is_below_the_one_behind_it(write_script):
    pytest.importorskip("kfp", reason="needs kfp: pip install 'kalelite[kfp]'")
    from kubeflow_scripts import pipeline_in

    from kalelite.backends.kubeflow.compile.build import build
    from kalelite.backends.kubeflow.compile.compile_settings import settings_for

    text = "from kalelite import pipeline, step\n@step\ndef s(): ...\n@pipeline\ndef main():\n"
    plan = pipeline_in(write_script(text + "    s()\n" * 60))[1].plan()
    found = build(plan, settings_for(plan, {})).estimate
    assert 0.9 * found.total < least(60, SMALLEST_CODE).total < found.total
    assert 200 < found.fitting(60) < 300


def test_limit():
    assert estimate(100_000, 50).fits
    assert not estimate(900_000, 500).fits
    assert LIMIT == 2**20


@pytest.mark.parametrize(
    ("count", "text"), [(5, "1 kB"), (812_000, "812 kB"), (1_300_000, "1.3 MB")]
)
def test_human(count, text):
    assert human(count) == text


def test_tasks_in_blocks_count():
    spec = {
        "root": {"dag": {"tasks": {"a": {}, "b": {}}}},
        "components": {"c": {"dag": {"tasks": {"d": {}}}}, "e": {"executorLabel": "x"}},
    }
    assert tasks_in(spec) == 3


def test_more_steps_make_the_bundle_hardly_larger(tmp_path):
    """What a task adds is in the Workflow five times: once sent and four times in its state."""
    pytest.importorskip("kfp", reason="needs kfp: pip install 'kalelite[kfp]'")
    from kalelite import pipeline, step
    from kalelite.backends.kubeflow.compile.build import compile_plan

    @step
    def work(x):
        return x

    def bundle_of(count):
        @pipeline
        def chain(x: int = 1):
            for _ in range(count):
                x = work(x)

        return len(compile_plan(chain.plan(), tmp_path / "out.yaml").bundle)

    assert bundle_of(42) - bundle_of(2) < 40 * 100


@pytest.mark.parametrize(
    ("parameter", "most"),
    [("n: int = 1", 58_000), ("n: list[tuple[int, str]] = [(1, 'a')]", 60_000)],
    ids=["plain", "with the converter of parameters"],
)
def test_the_code_of_kalelite_itself_stays_small(write_script, parameter, most):
    pytest.importorskip("kfp", reason="needs kfp: pip install 'kalelite[kfp]'")
    from kubeflow_scripts import pipeline_in

    from kalelite.backends.kubeflow.compile.build import build
    from kalelite.backends.kubeflow.compile.compile_settings import settings_for

    text = (
        "from kalelite import If, pipeline, step\n"
        "@step\ndef work(x) -> int: return 1\n"
        f"@pipeline\ndef main({parameter}):\n"
        "    a = work(n)\n    with If((a > 1) & (a < 3)):\n        work(1)\n"
    )
    plan = pipeline_in(write_script(text))[1].plan()
    bundle = build(plan, settings_for(plan, {})).bundle
    with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
        own = {i.filename: i.compress_size + 2 * len(i.filename) + 76 for i in archive.infolist()}
    users = {name for name in own if name.startswith(("code/", "tasks.json"))}
    assert sum(size for name, size in own.items() if name not in users) <= most
