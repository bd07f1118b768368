"""What is true of a plan on KFP and might surprise: each thing once, with the steps it is about."""

from __future__ import annotations

import sys

import pytest
from kubeflow_scripts import pipeline_in

from kalelite.backends.kubeflow.compile.dry_run import dry_run
from kalelite.backends.kubeflow.compile.plan_warnings import warnings_for
from kalelite.errors import PipelineError

STEPS = """
from kalelite import pipeline, step

@step(cache=True)
def kept(): return 1

@step
def plain(): return 1

@pipeline
def cached():
    for _ in range(7):
        kept()
    plain()
    kept.options(name="last", cache=False)()

@pipeline(experiment="digits")
def tried():
    plain()
"""


def test_a_cache_that_goes_with_the_run_is_named(write_script):
    plan = pipeline_in(write_script(STEPS))[0].cached.plan()

    assert list(warnings_for(plan)) == [
        "cache: results are kept on the marshal volume, which goes with the run; "
        "marshal_volume=NAME of a claim that stays keeps them for other runs"
    ]
    assert not list(warnings_for(plan, marshal_volume="kept"))


def test_an_experiment_that_a_file_cannot_hold_is_named(write_script):
    plan = pipeline_in(write_script(STEPS))[0].tried.plan()

    assert list(warnings_for(plan)) == [
        "experiment: choose 'digits' when you create a run of the file"
    ]


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """Installed packages: `twig`, and `leafy`, which is imported as `leaf`."""
    site = tmp_path / "site-packages"
    for name, dist in (("twig", "twig"), ("leaf", "leafy")):
        (site / name).mkdir(parents=True)
        (site / name / "__init__.py").write_text("def grow(): ...\nclass Kind: ...\n")
        about = site / f"{dist}-1.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {dist}\nVersion: 1.0\n")
        (about / "top_level.txt").write_text(name)
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "own_helper.py").write_text("import twig\ndef help(): return twig.grow()\n")
    yield
    for name in ("twig", "leaf", "own_helper"):
        sys.modules.pop(name, None)


SCRIPT = """
import json
import leaf
from leaf import Kind
from own_helper import help
from kalelite import pipeline, step

DEFAULT = Kind()

def between():
    return leaf.grow()

@step
def one(): return between()
@step
def two(): import twig; return twig, DEFAULT
@step
def three(): return help()
@step
def none(): return json.dumps({})
@step(packages=["leafy"])
def said(): return leaf
@step(image="own/image")
def imaged(): return leaf
@pipeline
def main():
    one(); two(); three(); none(); said(); imaged(); one()
"""


def test_what_the_stock_image_lacks_is_named_with_steps_and_what_to_write(packages, write_script):
    plan = pipeline_in(write_script(SCRIPT))[1].plan()
    image = "python:{}.{}".format(*sys.version_info)
    lines = [
        f"the image {image} lacks what steps import: leaf (one, two, one-2), twig (two, three); "
        "write @pipeline(defaults={'packages': ['leafy', 'twig']}), or packages= or image= at the steps"
    ]
    assert list(warnings_for(plan))[1:] == lines
    assert lines[0] in [row[-1] for section in dry_run(plan) for row in section.rows]
    assert list(warnings_for(plan, image="own/image:1"))[1:] == []


def rows_of(sections, title):
    return dict(next((section.rows for section in sections if section.title == title), ()))


SHARED = """
from kalelite import If, ParallelFor, Together, pipeline, step

@step
def a(x=0) -> int: return 1

@step
def b(x=0) -> int: return 1

@step(image="other:1")
def c(x=0): ...

@pipeline(pods="few")
def few():
    c(b(a()))

@pipeline
def each():
    c(b(a()))

@pipeline
def batches():
    with ParallelFor(list(range(100)), per_pod=50) as item:
        b(a(item))

@pipeline
def impossible():
    with ParallelFor([1, 2], per_pod=2) as item:
        c(a(item))

@pipeline
def together():
    with Together():
        x = b(a())
        with ParallelFor([1, 2]) as item, Together():
            b.options(cpu=None)(item)
    with If(x == 1), Together():
        b.options(name="d", cpu=2)(b.options(name="e", cpu=2)(x))
    c(x)

@pipeline
def apart():
    with Together():
        c(a())
        b.options(volumes={"/data": "claim"}, cpu=1)()
        with ParallelFor([1, 2], per_pod=2) as item:
            a(item)
"""


def test_it_is_told_how_many_pods_there_are_and_why_not_fewer(write_script):
    pytest.importorskip("kfp")
    module = pipeline_in(write_script(SHARED))[0]

    assert rows_of(dry_run(module.few.plan()), "Pods") == {
        "in all": "2 for 3 tasks",
        "a-pod": "a, b",
        "c": "a pod of its own: it needs other image than a",
    }
    assert rows_of(dry_run(module.few.plan(), pods="each"), "Pods") == {}
    assert rows_of(dry_run(module.each.plan()), "Pods") == {}
    assert rows_of(dry_run(module.batches.plan()), "Pods") == {
        "in all": "1 for 2 tasks, those in loops once for each item or batch",
        "for-pod": "a, b",
    }


def test_items_whose_steps_need_different_pods_share_none(write_script):
    pytest.importorskip("kfp")
    plan = pipeline_in(write_script(SHARED))[0].impossible.plan()

    with pytest.raises(PipelineError, match="per_pod=2.*: c cannot share the pod: it needs other"):
        dry_run(plan)


def test_a_part_of_a_pipeline_is_in_one_pod(write_script):
    pytest.importorskip("kfp")
    plan = pipeline_in(write_script(SHARED))[0].together.plan()

    assert rows_of(dry_run(plan), "Pods") == {
        "in all": "3 for 6 tasks",
        "together-pod": "a, b, b-2",
        "together-3-pod": "e, d",
    }
    assert rows_of(dry_run(plan, pods="few"), "Pods")["together-pod"] == "a, b, b-2"


def test_what_cannot_be_in_one_pod_is_refused_in_its_line(write_script):
    pytest.importorskip("kfp")
    plan = pipeline_in(write_script(SHARED))[0].apart.plan()

    with pytest.raises(PipelineError) as raised:
        dry_run(plan)
    assert [(problem.where.line, problem.message) for problem in raised.value.problems] == [
        (44, "Together (line 43): c cannot share the pod: it needs other image than a"),
        (45, "Together (line 43): b cannot share the pod: it needs other cpu, volumes than a"),
        (46, "per_pod=2: the loop stands in a block (line 43) that is in one pod"),
    ]


def test_what_is_made_before_the_run_is_by_no_task_of_it(write_script):
    pytest.importorskip("kfp")
    plan = pipeline_in(write_script(SHARED))[0].each.plan()

    by_tasks, before = dry_run(plan), dry_run(plan, supplied=True)

    assert "6 tasks" in rows_of(by_tasks, "Pipeline each")["steps"]
    assert "made by the task kalelite-prepare" in rows_of(by_tasks, "Volumes")["/marshal"]
    assert "3 tasks" in rows_of(before, "Pipeline each")["steps"]
    assert "made before the run" in rows_of(before, "Volumes")["/marshal"]
    assert rows_of(before, "Volumes")["code"].startswith("a ConfigMap")


def test_a_volume_for_one_node_is_remarked_upon_only_where_steps_run_at_once(write_script):
    pytest.importorskip("kfp")
    module = pipeline_in(write_script(SHARED))[0]

    def remarked(pipeline):
        notes = [row[0] for part in dry_run(pipeline.plan()) for row in part.rows]
        return any(note.startswith("steps run in parallel") for note in notes)

    assert not remarked(module.each)
    assert remarked(module.batches)
