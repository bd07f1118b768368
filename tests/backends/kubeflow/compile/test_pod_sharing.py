"""Which steps share a pod when pods are to be few."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kubeflow_scripts import pipeline_in

from kalelite.backends.kubeflow.compile.lower import lower
from kalelite.backends.kubeflow.compile.pod_sharing import share_pods
from kalelite.plan.graph import OutputRef, Plan, SharedPod, StepDef, Task
from kalelite.plan.options import StepOptions
from kalelite.plan.order import Scopes, cycle

STEPS = """
from kalelite import (
    Collected, ExitHandler, If, Else, OneOf, ParallelFor, container_step, pipeline, step
)

@step
def a(x=0) -> int: return 1

@step
def b(x=0, y=0) -> int: return 1

@step(image="other:1")
def other(x=0) -> int: return 1

@step(memory="2Gi")
def large(x=0, y=0) -> int: return 1

@step
def items() -> list[int]: return [1, 2]

@step(ignore_failures=True)
def always(x=0) -> int: return 1

@step
def total(xs) -> int: return 1

@step
def clean(): pass

"""


@pytest.fixture
def shared(write_script):
    """The pods that several steps of a pipeline share, as texts, and the borders between them."""

    def find(body: str, order: str = "data"):
        lines = "".join(f"    {line}\n" for line in body.splitlines())
        script = write_script(f"{STEPS}@pipeline(order={order!r})\ndef main(n: int = 1):\n{lines}")
        plan = pipeline_in(script)[0].main.plan()
        lowered = share_pods(lower(plan))
        scopes = Scopes(lowered.plan)
        own = {task.id for task in plan.tasks}
        pods = [block.id for block in lowered.plan.blocks if isinstance(block, SharedPod)]
        named = {" ".join(t.id for t in scopes.tasks_of(pod) if t.id in own) for pod in pods}
        return named, lowered.borders

    return find


@pytest.mark.parametrize(
    ("body", "pods"),
    [
        ("b(a())", {"a b"}),
        ("a()", set()),
        ("b(other(a()))", set()),
        ("x = a()\nb(x)\nb(x)\n", {"a b b-2"}),
        ("b(a(), a.options(name='c')())", {"a c b"}),
        ("large(large.options(name='m')())", {"m large"}),
        ("x = large()\nlarge.options(name='m')(x)\nlarge.options(name='n')(x)", set()),
        ("with ParallelFor([1, 2]) as i:\n    a(i)", {"a"}),
        (
            "with ParallelFor(items()) as i:\n    y = b(a(i))\ntotal(Collected(y))",
            {"items a b total"},
        ),
        ("with ParallelFor([1, 2]) as i:\n    large(large.options(name='m')(i))", {"m large"}),
        (
            "with ParallelFor([1, 2]) as i:\n    x = other(a(i))\n    b(a.options(name='c')(i))",
            {"c b"},
        ),
        (
            "with If(a() == n):\n    x = b()\nwith Else():\n    y = b()\na(OneOf(x, y))",
            {"a b b-2 a-2"},
        ),
        ("with If(a() == n):\n    b()\n    b()\nother(b.options(name='c')())", {"a b b-2"}),
        ("with ExitHandler(clean()):\n    b(a())", {"a b"}),
        ("always(a())", set()),
    ],
)
def test_steps_that_fit_share_a_pod(shared, body, pods):
    assert shared(body)[0] == pods


@pytest.mark.parametrize(
    ("body", "id", "reason"),
    [
        ("other(a())", "other", "it needs other image than a"),
        ("large(a())", "large", "it needs other memory than a"),
        ("y = other(a())\nb(a.options(name='c')(y), y)\n", "c", "it needs other image than other"),
        (
            "large()\nlarge.options(name='m')()",
            "m",
            "it runs beside large, and each was given memory='2Gi'",
        ),
        (
            "with ParallelFor([1, 2]) as i:\n    large(i)",
            "for",
            "its items run at once, each with memory='2Gi'",
        ),
        ("x = a()\ny = b(x)\nother(x)", "b", "what follows a in another pod does not wait for it"),
    ],
)
def test_a_border_has_its_reason(shared, body, id, reason):
    assert shared(body)[1].get(id) == reason, shared(body)[1]


def test_what_is_skipped_with_an_if_is_in_its_pod_or_the_if_has_no_part_in_one(shared):
    pods, borders = shared("x = a()\nwith If(x == n):\n    b()\nother()", order="calls")
    assert pods == set()
    assert "skipped" in borders["if"], borders


@st.composite
def plans(draw):
    """Plans of steps of a few kinds, each of which takes values of some before it."""
    kinds = [StepOptions(), StepOptions(image="b"), StepOptions(memory="1Gi")]

    def step(): ...

    import inspect

    made = StepDef("step", step, inspect.signature(step))
    tasks = []
    for number in range(draw(st.integers(1, 12))):
        before = draw(st.sets(st.integers(0, max(number - 1, 0)), max_size=3)) if number else ()
        arguments = {f"x{other}": OutputRef(f"t{other}", "output") for other in sorted(before)}
        options = draw(st.sampled_from(kinds))
        tasks.append(Task(f"t{number}", made, arguments, (), options=options))
    return Plan("random", tuple(tasks))


@given(plans())
@settings(max_examples=200, deadline=None)
def test_pods_wait_for_nothing_that_waits_for_them_and_hold_back_nobody(plan):
    lowered = share_pods(lower(plan))

    assert cycle(lowered.plan) == ()
    before, after = Scopes(plan), Scopes(lowered.plan)
    pods = [block.id for block in lowered.plan.blocks if isinstance(block, SharedPod)]
    inside = {pod: {task.id for task in after.tasks_of(pod)} for pod in pods}
    closure: dict[str, set[str]] = {}
    for id in before.children[""]:
        closure[id] = set(before.waits[id]).union(*(closure[w] for w in before.waits[id]))
    for ids in inside.values():
        assert len({repr(lowered.plan.task(id).options) for id in ids}) == 1
        for task in plan.tasks:
            needed = closure[task.id] & ids
            assert task.id in ids or not needed or needed == ids
