"""Edges of a plan, and orders that keep them."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kalelite.authoring.control import Else, ExitHandler, If, ParallelFor
from kalelite.authoring.decorators import pipeline, step
from kalelite.authoring.fan_in import Collected
from kalelite.plan.check import check
from kalelite.plan.graph import Constant, OutputRef, Plan, StepDef, Task
from kalelite.plan.order import ROOT, Scopes, cycle, dependencies, is_wide


@step
def number() -> int:
    return 1


@step
def use(*values) -> int:
    return 1


def topological(plan):
    return tuple(task.id for task in Scopes(plan).tasks_of(ROOT))


def plan_of(body, **options):
    return pipeline(**options)(body).plan()


def test_edges_follow_data_and_after():
    def body():
        a = number()
        b = number()
        use(a, [a, {"b": b}])
        use(after=[a, b])

    assert dependencies(plan_of(body)) == {
        "number": (),
        "number-2": (),
        "use": ("number", "number-2"),
        "use-2": ("number", "number-2"),
    }


def in_a_row():
    a = number()
    with If(a > 1):
        use(use(a))
    with Else():
        use(a)


def side_by_side():
    use(number())
    number()


def side_by_side_in_a_block():
    a = number()
    with If(a > 1):
        use(a)
        use(a)


def a_loop():
    with ParallelFor([1, 2]) as item:
        use(item)


def a_loop_one_by_one():
    with ParallelFor([1, 2], parallelism=1) as item:
        use(item)


@pytest.mark.parametrize(
    ("body", "wide"),
    [
        (in_a_row, False),
        (side_by_side, True),
        (side_by_side_in_a_block, True),
        (a_loop, True),
        (a_loop_one_by_one, False),
    ],
)
def test_whether_tasks_may_run_side_by_side(body, wide):
    assert is_wide(plan_of(body)) is wide


def test_in_the_order_of_the_calls_nothing_runs_side_by_side():
    assert not is_wide(plan_of(side_by_side, order="calls"))


def test_blocks_wait_for_conditions_and_items():
    def body():
        a = number()
        b = number()
        with If((a > 1) & (b < a)):
            use(b)
        with Else():
            use()
        with ParallelFor([1]) as item:
            use(item, a)

    found = dependencies(plan_of(body))
    assert found["if"] == ("number", "number-2")
    assert found["use"] == ("number-2",)
    assert found["if-else"] == ()
    assert found["for"] == ()
    assert found["use-3"] == ("number",)


def test_order_of_calls_with_blocks():
    def body():
        number()
        with ParallelFor([1]) as item:
            use(item)
            use(item)
        with If(number() > 1):
            use()
        with Else():
            use()
        use()

    found = dependencies(plan_of(body, order="calls"))
    assert found["for"] == ("number",)
    assert found["use-2"] == ("use",)
    assert found["number-2"] == ("for",)
    assert found["if"] == ("number-2",)
    assert found["if-else"] == ()
    assert found["use-5"] == ("if",)


def test_call_order_is_kept_where_it_can_be():
    def body():
        b = use()
        a = number()
        c = use()
        a.after(c)

    assert topological(plan_of(body)) == ("use", "use-2", "number")


def test_a_handler_comes_last():
    @step
    def clean():
        pass

    def body():
        with ExitHandler(clean()):
            use()
            use()

    assert topological(plan_of(body)) == ("use", "use-2", "clean")


def test_a_ring_through_a_block():
    def body():
        a = number()
        with ParallelFor([1]) as item:
            b = use(item, a)
        a.after(use(Collected(b)))

    (problem,) = pipeline(body).draft()[1]
    assert "number" in problem.message
    assert "use" in problem.message
    with pytest.raises(ValueError, match="cycle"):
        topological(pipeline(body).draft()[0])


def test_a_ring_names_only_who_is_in_it():
    def body():
        a, b, c = number(), number(), use()
        a.after(b)
        b.after(a)
        c.after(a)

    assert set(cycle(pipeline(body).draft()[0])) == {"number", "number-2"}


@pytest.mark.parametrize("order", ["data", "calls"])
def test_a_chain_longer_than_the_recursion_limit(order):
    length = 2 * sys.getrecursionlimit()

    def body():
        value = number()
        for _ in range(length):
            value = use([value])

    plan = plan_of(body, order=order)
    assert len(topological(plan)) == length + 1
    assert check(plan) == []


def _task(id, *sources, after=()):
    definition = StepDef(id, number.__wrapped__, number.definition.signature)
    arguments = {f"x{n}": OutputRef(source, "output") for n, source in enumerate(sources)}
    return Task(id, definition, arguments or {"x": Constant(1)}, (), after=after)


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 30), max_size=4), max_size=30))
def test_any_plan_without_rings_is_sorted(edges):
    tasks = tuple(
        _task(f"t{number}", *{f"t{before % number}" for before in found} if number else ())
        for number, found in enumerate(edges)
    )
    plan = Plan("p", tasks)
    order = topological(plan)
    assert sorted(order) == sorted(task.id for task in tasks)
    seen = set()
    for id in order:
        assert seen.issuperset(dependencies(plan)[id])
        seen.add(id)
