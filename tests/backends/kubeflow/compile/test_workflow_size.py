"""The estimate of a Workflow, against Workflows of a real KFP 2.17 and by its limits."""

import io
import random
import zipfile

import pytest

from kalelite.backends.kubeflow.compile.workflow_size import (
    LIMIT,
    Estimate,
    estimate_of,
    fitting_items,
    human,
    least,
    tasks_in,
)
from kalelite.errors import PipelineError

BY_HAND = {5: (63, 21), 10: (113, 31), 25: (264, 58), 50: (514, 102), 100: (1015, 192)}
"""Chains of container components without the retries of 2.17: kB as they are, and compressed."""

MEASURED = {
    "retries": (159_092, "@step(retries=3)\ndef a(): ...\n@pipeline\ndef main():\n    a()\n"),
    "another user": (
        178_687,
        "from kalelite import SecurityContext\n"
        "@step(security_context=SecurityContext(run_as_user=1000, run_as_group=100))\n"
        "def a(): ...\n@step\ndef b(p): ...\n@pipeline\ndef main():\n    b(a())\n",
    ),
}
"""Bytes of Workflows at the end of their runs, and the pipelines, on KFP 2.17 as it is shipped."""

LARGE = {
    "a chain of 100": (
        369_497,
        "@step\ndef first() -> int: ...\n@step\ndef more(n: int) -> int: ...\n"
        "@pipeline\ndef main():\n    n = first()\n    for _ in range(99): n = more(n)\n    return n\n",
    ),
    "50 steps in loops and branches over 100 items": (
        462_319,
        """
from kalelite import Collected, Elif, Else, If, OneOf, ParallelFor
@step
def add(x: int, by: int = 1) -> int: ...
@step
def double(x: int) -> int: ...
@step
def total(values: list) -> int: ...
@pipeline
def main():
    n = add(1)
    sums = []
    for number in range(3):
        with ParallelFor(range(100), per_pod=50) as item:
            x = add(item, number)
            for _ in range(4):
                x = add(x)
            with If(x > 60):
                a = add(double(x))
            with Elif(x > 30):
                b = double(double(x))
            with Else():
                c = add(add(x))
            y = add(OneOf(a, b, c))
        sums.append(total(Collected(y)))
    with If(n == 100):
        good = add(add(add(add(add(n)))))
    with Else():
        bad = add(add(add(add(n))))
    return *sums, add(OneOf(good, bad))
""",
    ),
}
"""The same, of runs whose claim and code were made before them."""


@pytest.mark.parametrize("steps", BY_HAND)
def test_a_chain_by_hand(steps, tmp_path):
    pytest.importorskip("kfp", reason="needs kfp: pip install 'kalelite[kfp]'")
    import yaml
    from kfp import compiler, dsl

    @dsl.container_component
    def step(x: str, out: dsl.OutputPath(str)):
        words = ["sh", "-c", 'echo "$0" > "$1"']
        return dsl.ContainerSpec(image="python:3.11", command=words, args=[x, out])

    @dsl.pipeline(name="hand")
    def chain():
        x = "0"
        for _ in range(steps):
            x = step(x=x).set_caching_options(False).outputs["out"]

    compiler.Compiler().compile(chain, str(tmp_path / "hand.yaml"))
    spec = yaml.safe_load((tmp_path / "hand.yaml").read_text())
    found = estimate_of(spec, {}, retrying=False)
    whole, compressed = BY_HAND[steps]
    assert found.whole == pytest.approx(whole * 1000, rel=0.2)
    assert found.compressed == pytest.approx(compressed * 1000, rel=0.2)


@pytest.mark.parametrize("name", MEASURED)
def test_pipelines_that_were_run(name, write_script):
    measured, text = MEASURED[name]
    assert estimate(write_script, text).whole == pytest.approx(measured, rel=0.2)


@pytest.mark.parametrize("name", LARGE)
def test_large_pipelines_that_were_run(name, write_script):
    from kalelite.backends.kubeflow.compile.compile_settings import CodeMap

    measured, text = LARGE[name]
    run = "20261128-150413-0229248"
    made = {"code_map": CodeMap(f"kalelite-{run}"), "marshal_volume": f"{run}-marshal"}
    found = estimate(write_script, text, run=run, **made)

    assert found.stored == pytest.approx(measured, rel=0.2)
    assert found.stored < LIMIT / 2


def estimate(write_script, text, **settings):
    pytest.importorskip("kfp", reason="needs kfp: pip install 'kalelite[kfp]'")
    from kubeflow_scripts import pipeline_in

    from kalelite.backends.kubeflow.compile.build import build
    from kalelite.backends.kubeflow.compile.compile_settings import settings_for

    plan = pipeline_in(write_script(f"from kalelite import pipeline, step\n{text}"))[1].plan()
    return build(plan, settings_for(plan, settings)).estimate


def test_a_hundred_steps_are_below_half_of_what_argo_takes(write_script):
    text = "@step\ndef s(x): ...\n@pipeline\ndef main():\n    x = 0\n"
    found = estimate(write_script, text + "    x = s(x)\n" * 100)
    assert found.stored < LIMIT / 2
    assert least(100).whole < found.whole


def test_a_large_constant_is_in_it_once(write_script):
    text = "BLOB = {blob!r}\n@step\ndef s(): return BLOB\n@pipeline\ndef main():\n    s()\n"
    blob = random.Random(0).randbytes(100_000).hex()
    small = estimate(write_script, text.format(blob=""))
    large = estimate(write_script, text.format(blob=blob))
    assert 100_000 < large.whole - small.whole < 400_000


def test_what_does_not_fit_is_refused_with_what_to_do(write_script):
    text = "BLOB = {blob!r}\n@step\ndef s(): return BLOB\n@pipeline\ndef main():\n    s()\n"
    blob = random.Random(0).randbytes(900_000).hex()
    with pytest.raises(PipelineError, match="Argo takes 1.0 MB"):
        estimate(write_script, text.format(blob=blob))


def test_limit():
    assert Estimate(50, 200_000, 3_000_000).fits
    assert not Estimate(500, 900_000, 3_000_000).fits
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
    [("n: int = 1", 67_500), ("n: list[tuple[int, str]] = [(1, 'a')]", 70_500)],
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


def test_how_many_items_fit_is_known_for_loops_over_results(write_script):
    pytest.importorskip("kfp", reason="needs kfp: pip install 'kalelite[kfp]'")
    from kubeflow_scripts import pipeline_in

    from kalelite.backends.kubeflow.compile.build import build
    from kalelite.backends.kubeflow.compile.compile_settings import settings_for
    from kalelite.backends.kubeflow.compile.dry_run import dry_run

    text = (
        "from kalelite import ParallelFor, pipeline, step\n"
        "@step\ndef some() -> list: return [1]\n"
        "@step\ndef work(x): ...\n"
        "@pipeline\ndef known():\n    with ParallelFor([1, 2]) as x: work(x)\n"
        "@pipeline\ndef unknown():\n    with ParallelFor(some()) as x: work(x)\n"
    )
    module = pipeline_in(write_script(text))[0]
    known, unknown = (one.plan() for one in (module.known, module.unknown))
    first, second = (build(plan, settings_for(plan, {})) for plan in (known, unknown))

    assert fitting_items(first.pipeline, first.platform) is None
    most = fitting_items(second.pipeline, second.platform)
    assert estimate_of(second.pipeline, second.platform, items=most).fits
    assert not estimate_of(second.pipeline, second.platform, items=most + 1).fits
    rows = dict(dry_run(unknown)[0].rows)
    assert f"{most} in each would fit" in rows["Workflow"]
