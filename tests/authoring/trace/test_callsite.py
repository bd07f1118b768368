"""What a pipeline's body does with a result, read from bytecode that is known, and that is not."""

from __future__ import annotations

import dis

import pytest

from kalelite import PipelineError, pipeline, step
from kalelite.authoring.trace import callsite


@step
def split(x):
    return x, x


@step
def pair(x) -> tuple[int, str]:
    return x, str(x)


@step
def use(value):
    return value


@pytest.fixture
def unknown_python(monkeypatch):
    """A Python whose instructions for unpacking have other names, and whose version is not known."""
    names = [f"{name}_NEW" if name.startswith("UNPACK") else name for name in dis.opname]
    monkeypatch.setattr(callsite, "_NAMES", names)
    monkeypatch.setattr(callsite, "EXACT", frozenset())


def outputs(plan):
    return [(task.id, [output.name for output in task.outputs]) for task in plan.tasks]


def test_the_names_of_an_unpacking_are_those_of_the_outputs():
    @pipeline
    def study():
        left, right = split(1)
        use(left)
        use(right)

    assert outputs(study.plan())[0] == ("split", ["left", "right"])


def test_an_unknown_python_unpacks_what_the_annotation_promises(unknown_python):
    @pipeline
    def study():
        left, right = pair(1)
        use(left)
        use(right)

    assert outputs(study.plan())[0] == ("pair", ["output_1", "output_2"])


def test_an_unknown_python_asks_for_an_annotation(unknown_python):
    @pipeline
    def study():
        left, right = split(1)
        use(left)

    with pytest.raises(PipelineError) as caught:
        study.plan()
    (problem,) = caught.value.problems
    assert "into how many values Python 3." in problem.message
    assert "`-> tuple[list, int]`" in problem.hint
    assert problem.where.text.strip() == "left, right = split(1)"


def test_an_unknown_python_keeps_results_whole_and_selects(unknown_python):
    @pipeline
    def study():
        both = split(1)
        use(both[0])
        for name in ["a", "b"]:
            use(name)

    plan = study.plan()
    assert [task.id for task in plan.tasks] == ["split", "use", "use-2", "use-3"]
    assert outputs(plan)[0] == ("split", ["both"])


def test_an_unknown_python_still_refuses_a_loop(unknown_python):
    @pipeline
    def study():
        for item in split(1):
            use(item)

    with pytest.raises(PipelineError, match="cannot be looped over"):
        study.plan()
