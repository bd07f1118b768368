"""Results of earlier runs: what is a hit, what is a miss, and what a hit leaves behind."""

from __future__ import annotations

import shutil
import sys
import textwrap

import pytest
from local_cache_script import Script

from kalelite.backends.local.local_settings import LocalSettings
from kalelite.executor.result_cache import prune
from kalelite.marshal import Store

SCRIPT = """
from dataclasses import dataclass
from kalelite import Collected, ParallelFor, log_artifact, log_metric, pipeline, step

RATE = 3

def helper(x):
    return x * RATE

@dataclass
class Model:
    weight: int = 1
    def predict(self):
        return self.weight

@step(cache=True)
def load(n):
    log_metric("rows", n)
    log_artifact("# A note", "note")
    return list(range(n))

@step(cache=True)
def train(xs):
    return Model(helper(len(xs)))

@step(cache=True)
def judge(model, more=0):
    return model.predict() + more

@step
def tell(score):
    return f"score {score}"

@pipeline
def main(n: int = 2):
    return tell(judge(train(load(n))))
"""


@pytest.fixture
def script(tmp_path):
    return Script(tmp_path / "script.py", tmp_path / "home", textwrap.dedent(SCRIPT))


def test_a_second_run_takes_what_the_first_one_has_left(script):
    first = script.run()
    second = script.run()

    assert (first.cached, first.value) == ([], "score 6")
    assert (second.cached, second.value) == (["load", "train", "judge"], "score 6")
    assert second.ran == ["tell"]


def test_a_hit_is_recorded_as_its_own_with_metrics_and_artifacts(script):
    first = script.run()
    task = script.run().folder.tasks["load"]

    assert task.status == "cached"
    assert task.reason.startswith(f"as in run {first.id}, since ")
    assert task.record.cached == first.id
    assert task.record.metrics[0]["value"] == 2
    assert (task.folder / "artifacts" / "note.md").read_text() == "# A note"


@pytest.mark.parametrize(
    ("old", "new", "cached"),
    [
        ("RATE = 3", "RATE = 4", ["load"]),
        ("return x * RATE", "return x * RATE + 1", ["load"]),
        ("return self.weight", "return self.weight + 1", ["load"]),
        ("more=0", "more=1", ["load", "train"]),
        # The same list by another way: what takes it hits, but not what takes a pickle made of it.
        ("list(range(n))", "sorted(range(n))", ["train"]),
        ('return f"score', 'return f"points', ["load", "train", "judge"]),
        ("RATE = 3", "# A comment\nRATE = 3", ["load", "train", "judge"]),
        ("@step(cache=True)\ndef judge", "@step\ndef judge", ["load", "train"]),
        ("@step(cache=True)\ndef load", "@step(cache=False)\ndef load", ["train", "judge"]),
        ("cache=True)\ndef load", "cache=True, env={'A': 'b'})\ndef load", ["train", "judge"]),
        ("judge(train(load(n)))", "judge(train(load(n)), more=5)", ["load", "train"]),
    ],
)
def test_what_a_result_depends_on_makes_a_miss_and_nothing_else_does(script, old, new, cached):
    script.run()
    seen = script.change(old, new).run()

    assert seen.cached == cached


def test_a_class_that_a_pickled_input_brings_along_counts(script):
    """`judge` names neither `Model` nor `train`, and the pickle of a Model stays the same."""
    script.run()
    seen = script.change("return self.weight", "return -self.weight").run()

    assert seen.value == "score -6"


def test_a_class_of_a_parameter_counts(tmp_path):
    text = """
    from dataclasses import dataclass
    from kalelite import pipeline, step

    @dataclass
    class Config:
        rate: int = 2
        def twice(self):
            return self.rate * 2

    @step(cache=True)
    def use(config):
        return config.twice()

    @pipeline
    def main(config: Config = Config()):
        return use(config)
    """
    script = Script(tmp_path / "script.py", tmp_path / "home", textwrap.dedent(text))
    script.run()

    assert script.run().cached == ["use"]
    assert script.change("self.rate * 2", "self.rate * 3").run().value == 6


LIBRARY_SCRIPT = """
import tinylib
from kalelite import pipeline, step

def helper():
    return tinylib.number()

@step(cache=True)
def reached():
    return [helper()]

@step(cache=True)
def inside():
    import tinylib
    return [tinylib.number()]

@step(cache=True)
def thing():
    return tinylib.Thing()

@step(cache=True)
def takes(thing):
    return thing.number()

@step(cache=True)
def apart():
    return "apart"

@pipeline
def main():
    takes(thing())
    return reached(), inside(), apart()
"""
LIBRARY = """
NUMBER = 1
def number():
    return NUMBER
class Thing:
    def number(self):
        return NUMBER
"""


@pytest.mark.parametrize("distribution", ["tinylib", "tiny-distribution"])
def test_another_version_of_a_library_that_the_code_imports_is_a_miss(
    tmp_path, monkeypatch, distribution
):
    site = tmp_path / "site-packages"
    package, metadata = site / "tinylib", site / f"{distribution}-1.dist-info"
    package.mkdir(parents=True)
    metadata.mkdir()

    def install(version):
        (package / "__init__.py").write_text(LIBRARY.replace("NUMBER = 1", f"NUMBER = {version}"))
        (metadata / "METADATA").write_text(f"Name: {distribution}\nVersion: {version}\n")
        monkeypatch.delitem(sys.modules, "tinylib", raising=False)

    monkeypatch.syspath_prepend(str(site))
    script = Script(tmp_path / "script.py", tmp_path / "home", textwrap.dedent(LIBRARY_SCRIPT))
    install(1)
    script.run()
    again = script.run()
    install(22)
    newer = script.run()

    assert again.cached == ["thing", "takes", "reached", "inside", "apart"]
    assert newer.cached == ["apart"]
    assert newer.value == ([22], [22], "apart")


def test_another_parameter_is_another_result(script):
    script.run(n=2)

    assert script.run(n=3).cached == []
    assert script.run(n=2).cached == ["load", "train", "judge"]


def test_without_the_cache_all_runs_and_the_new_results_are_kept(script):
    script.run()
    anew = script.run(LocalSettings(cache=False))
    third = script.run()

    assert anew.cached == []
    assert third.folder.tasks["load"].record.cached == anew.id


def test_a_failure_is_never_kept(script):
    script.change("return Model(helper(len(xs)))", "raise ValueError")

    assert script.run().state == "failed"
    assert script.run().cached == ["load"]


def test_items_of_a_loop_are_cached_each(script):
    script.change(
        "return tell(judge(train(load(n))))",
        "with ParallelFor([1, 2, 3]) as item:\n        xs = load(item)\n"
        "    return tell(Collected(xs))",
    )
    script.run()
    script.change("[1, 2, 3]", "[0, 3, 1]")

    assert script.run().cached == ["load[1]", "load[2]"]


def test_a_result_whose_values_are_gone_is_computed_again(script):
    first = script.run()
    Store(script.home / "store").collect(keep=[], older_than=-10)

    again = script.run()

    assert (again.cached, again.value) == ([], first.value)


def test_a_result_whose_artifacts_are_gone_is_computed_again(script):
    shutil.rmtree(script.run().folder.folder)

    assert script.run().cached == ["train", "judge"]


def test_a_damaged_entry_is_a_miss(script):
    script.run()
    for entry in (script.home / "cache").glob("*/*.json"):
        entry.write_text("{")

    assert script.run().cached == []


def test_pruning_leaves_what_a_run_refers_to(script):
    kept = {entry["ref"] for entry in script.run().folder.outputs().values()}
    prune(script.home / "cache", kept)
    assert script.run().cached == ["load", "train", "judge"]

    prune(script.home / "cache", set())
    assert script.run().cached == []


def test_many_hits_in_a_row_need_no_deep_stack(tmp_path):
    text = """
    from kalelite import pipeline, step

    @step(cache=True)
    def one():
        return 1

    @pipeline(order="calls")
    def main():
        for _ in range(600):
            x = one()
        return x
    """
    seen = Script(tmp_path / "script.py", tmp_path / "home", textwrap.dedent(text)).run()

    assert (len(seen.ran), len(seen.cached), seen.value) == (1, 599, 1)
