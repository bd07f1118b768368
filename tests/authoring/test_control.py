"""Blocks: what they put into a plan, and what may enter and leave them."""

from __future__ import annotations

import inspect

import pytest

from kalelite.authoring.control import Elif, Else, ExitHandler, If, ParallelFor, Together
from kalelite.authoring.decorators import pipeline, step
from kalelite.authoring.fan_in import Collected, OneOf
from kalelite.errors import PipelineError
from kalelite.plan.graph import (
    AllOf,
    AnyOf,
    Branch,
    Compare,
    ItemRef,
    Loop,
    Negation,
    OutputRef,
    ParameterRef,
    StatusRef,
    Switch,
)
from kalelite.plan.graph import Collected as CollectedExpr
from kalelite.plan.graph import OneOf as OneOfExpr
from kalelite.plan.order import ROOT, Scopes, dependencies
from kalelite.plan.status import FinalStatus


@step
def one() -> int:
    return 1


@step
def flag() -> bool:
    return True


@step
def word() -> str:
    return "a"


@step
def names() -> list:
    return []


@step
def untyped():
    return 1


@step
def pair():
    return 1, 2


@step
def use(x, y=None) -> int:
    return 1


@step
def clean_up(folder="", status: FinalStatus = None):
    pass


@step
def report(status: FinalStatus):
    pass


def plan_of(body):
    return pipeline(body).plan()


def problems_of(body):
    return pipeline(body).draft()[1]


def block(plan, kind):
    return [item for item in plan.blocks if isinstance(item, kind)]


def test_branches_of_a_switch():
    def body(n=1):
        a = one()
        with If(a > 3):
            use(1)
        with Elif(n == 2):
            use(2)
        with Else():
            use(3)
        use(4)

    plan = plan_of(body)
    (switch,) = block(plan, Switch)
    branches = block(plan, Branch)
    assert [b.parent for b in branches] == [switch.id] * 3
    assert branches[0].condition == Compare(">", OutputRef("one", "a"), branches[0].condition.right)
    assert branches[1].condition.left == ParameterRef("n")
    assert branches[2].condition is None
    assert [t.parent for t in plan.tasks] == ["", *(b.id for b in branches), ""]


@pytest.mark.parametrize("order", ["data", "calls"])
def test_a_step_called_for_an_elif(order):
    @pipeline(order=order)
    def body():
        with If(one() > 1):
            use(1)
        with Elif(one() > 2):
            use(2)

    plan = body.plan()
    assert dependencies(plan)["if"] in {("one", "one-2"), ("one-2", "one")}
    assert dependencies(plan)["one-2"] == (("one",) if order == "calls" else ())
    assert tuple(task.id for task in Scopes(plan).tasks_of(ROOT)) == (
        "one",
        "one-2",
        "use",
        "use-2",
    )


@pytest.mark.parametrize("op", ["==", "!=", "<", "<=", ">", ">="])
def test_comparisons(op):
    def body():
        a, b = one(), one()
        with If(eval(f"a {op} b")):
            use(1)
        with If(eval(f"a {op} 2")):
            use(1)

    first, second = block(plan_of(body), Branch)
    assert first.condition.op == second.condition.op == op


def test_a_constant_on_the_left_turns_the_comparison():
    def body():
        with If(3 > one()):
            use(1)

    (branch,) = block(plan_of(body), Branch)
    assert branch.condition.op == "<"


def test_joined_conditions():
    def body():
        a, b = one(), flag()
        with If(((a > 1) | ~(a == 7)) & b):
            use(1)
        with If(~b):
            use(1)
        with If(b):
            use(1)

    first, second, third = (branch.condition for branch in block(plan_of(body), Branch))
    assert isinstance(first, AllOf)
    assert isinstance(first.operands[0], AnyOf)
    assert isinstance(first.operands[0].operands[1], Negation)
    assert isinstance(second, Negation)
    assert isinstance(third, Compare)
    assert third.right.value is True


def test_switches_nest_and_follow_each_other():
    def body(n=1):
        with If(n > 1):
            with If(n > 2):
                use(1)
            with Else():
                use(2)
        with Else():
            use(3)
        with If(n > 5):
            use(4)

    plan = plan_of(body)
    assert [(s.id, s.parent) for s in block(plan, Switch)] == [
        ("if", ""),
        ("if-2", "if-then"),
        ("if-3", ""),
    ]


@pytest.mark.parametrize("items", [[1, 2], ["a"], [{"a": 1}], [[1, 2]], range(3), (1.5, True), []])
def test_loops_over_constants(items):
    def body():
        with ParallelFor(items, parallelism=2) as item:
            use(item)

    plan = plan_of(body)
    (loop,) = block(plan, Loop)
    assert loop.items.value == list(items)
    assert loop.parallelism == 2
    assert plan.tasks[0].arguments["x"] == ItemRef(loop.id)
    assert plan.tasks[0].parent == loop.id


def test_loops_over_outputs_parameters_and_items():
    def body(values: list, others=[1]):
        with ParallelFor(names()) as a, ParallelFor(values) as b:
            use(a, b)
        with ParallelFor(others) as c, ParallelFor(c["inner"]) as d:
            use(d.name, d["name"])

    plan = plan_of(body)
    loops = block(plan, Loop)
    assert [loop.parent for loop in loops] == ["", "for", "", "for-3"]
    assert loops[3].items == ItemRef("for-3", ("inner",))
    assert (
        plan.tasks[2].arguments["x"] == plan.tasks[2].arguments["y"] == ItemRef("for-4", ("name",))
    )


def test_items_of_equal_length_can_be_unpacked():
    def body():
        with ParallelFor([[1, 2], [3, 4]]) as (a, b):
            use(b, a)

    (task,) = plan_of(body).tasks
    assert task.arguments["x"] == ItemRef("for", (1,))


def test_collected_gathers_from_one_loop_and_from_two():
    def body():
        with ParallelFor([1]) as i:
            with ParallelFor([2]) as j:
                a = use(i, j)
            use(Collected(a))
        use(Collected(a))

    plan = plan_of(body)
    assert plan.tasks[1].arguments["x"] == CollectedExpr(OutputRef("use", "a"), ("for-2",))
    assert plan.tasks[2].arguments["x"] == CollectedExpr(OutputRef("use", "a"), ("for", "for-2"))
    assert dependencies(plan)["use-3"] == ("for",)


def test_one_of_the_branches():
    def body():
        with If(one() > 1):
            a = use(1)
        with Else():
            b = use(2)
        use(OneOf(a, b))

    plan = plan_of(body)
    assert plan.tasks[3].arguments["x"] == OneOfExpr(
        "if", (OutputRef("use", "a"), OutputRef("use-2", "b"))
    )
    assert dependencies(plan)["use-3"] == ("if",)


def test_an_exit_handler_and_its_status():
    def body():
        with ExitHandler(clean_up("folder")):
            use(1)
        with ExitHandler(report()):
            use(2)

    plan = plan_of(body)
    first, second = plan.blocks
    assert (first.handler, second.handler) == ("clean-up", "report")
    assert plan.tasks[0].arguments["status"] == StatusRef(first.id)
    assert plan.tasks[2].arguments["status"] == StatusRef(second.id)
    assert plan.tasks[0].outputs == ()


def test_waiting_for_a_block_and_for_what_is_in_it():
    def body():
        with ExitHandler(clean_up()) as scope:
            a = use(1)
        with ParallelFor([1]) as item:
            b = use(item)
        use(1, after=scope)
        use(2, after=a)
        use(3, after=b)

    found = dependencies(plan_of(body))
    assert found["use-3"] == ("exit",)
    assert found["use-4"] == ("exit",)
    assert found["use-5"] == ("for",)


def test_blocks_inside_a_nested_pipeline():
    @pipeline
    def inner(n):
        with If(n > 1):
            a = use(n)
        with Else():
            b = use(0)
        return OneOf(a, b)

    def body(n=3):
        use(inner(n))
        use(inner(7))

    plan = plan_of(body)
    assert [s.parent for s in block(plan, Switch)] == ["inner", "inner-2"]
    assert block(plan, Branch)[2].condition == Compare(
        ">", block(plan, Branch)[2].condition.left, block(plan, Branch)[2].condition.right
    )
    assert dependencies(plan)["use-6"] == ("inner-2",) or dependencies(plan)["use-6"] == ("if-2",)


def test_a_nested_pipeline_waits_as_a_whole():
    @pipeline
    def inner(n):
        with ParallelFor([1]) as item:
            use(item)
        use(n)

    def body():
        first = use(1)
        inner(1, after=first)
        inner.after(first)(2)

    found = dependencies(plan_of(body))
    assert found["use-2"] == found["use-4"] == ("use",)
    assert found["use-3"] == ()


def test_the_order_of_a_nested_pipeline_is_kept():
    @pipeline(order="calls")
    def inner():
        use(1)
        with ParallelFor([1]) as item:
            use(item)
            use(item)
        use(2)

    def body():
        use(0)
        inner()
        use(9)

    found = dependencies(plan_of(body))
    assert found["use-2"] == ()
    assert found["use-3"] == ("use-2",)
    assert found["use-4"] == ("use-3",)
    assert found["use-5"] == ("for",)
    assert found["use-6"] == ()


@pytest.mark.parametrize(
    "make", [lambda: If(True), lambda: ParallelFor([1]), lambda: Collected(1), lambda: OneOf(1)]
)
def test_outside_of_a_pipeline(make):
    with pytest.raises(PipelineError, match="belongs into the body of a pipeline"):
        make()


# What may not be, as in Kubeflow Pipelines: (body, message, hint).
def branch_output_outside():
    with If(one() > 1):
        a = use(1)
    use(a)


def branch_output_in_result():
    with If(one() > 1):
        a = use(1)
    return [a]


def branch_to_branch():
    with If(one() > 1):
        a = use(1)
    with Else():
        use(a)


def elif_on_branch():
    with If(one() > 1):
        a = use(1)
    with Elif(a > 1):
        use(2)


def after_a_branch():
    with If(one() > 1):
        a = use(1)
    use(2, after=a)


def after_a_branch_block():
    with If(one() > 1) as branch:
        use(1)
    use(2, after=branch)


def loop_output_outside():
    with ParallelFor([1]) as item:
        a = use(item)
    use(a)


def loop_output_in_other_loop():
    with ParallelFor([1]) as item:
        a = use(item)
    with ParallelFor([1]) as item:
        use([item, {"a": a}])


def item_outside():
    with ParallelFor([1]) as item:
        use(item)
    use(item)


def collected_in_its_loop():
    with ParallelFor([1]) as item:
        a = use(item)
        use(Collected(a))


def collected_without_loop():
    use(Collected(one()))


def collected_of_a_constant():
    use(Collected(3))


def collected_out_of_a_branch():
    with If(one() > 1), ParallelFor([1]) as item:
        a = use(item)
    use(Collected(a))


def collected_leaves_the_outer_loop():
    with ParallelFor([1]) as i:
        with ParallelFor([2]) as j:
            a = use(i, j)
        gathered = Collected(a)
        use(gathered)
    use(gathered)


def loop_over_collected():
    with ParallelFor([1]) as item:
        a = use(item)
    with ParallelFor(Collected(a)) as item:
        use(item)


def one_of_without_else():
    with If(one() > 1):
        a = use(1)
    with Elif(one() > 2):
        b = use(2)
    use(OneOf(a, b))


def one_of_misses_a_branch():
    with If(one() > 1):
        a = use(1)
    with Elif(one() > 2):
        use(2)
    with Else():
        b = use(3)
    use(OneOf(a, b))


def one_of_other_switches():
    with If(one() > 1):
        a = use(1)
    with If(one() > 2):
        b = use(1)
    with Else():
        c = use(2)
    use(OneOf(a, c))


def one_of_same_branch():
    with If(one() > 1):
        a = use(1)
        b = use(2)
    use(OneOf(a, b))


def one_of_deeper():
    with If(one() > 1), ParallelFor([1]) as item:
        a = use(item)
    with Else():
        b = use(2)
    use(OneOf(a, b))


def one_of_in_its_branch():
    with If(one() > 1):
        a = use(1)
    with Else():
        b = use(2)
        use(OneOf(a, b))


def one_of_out_of_a_loop():
    with ParallelFor([1]) as item:
        with If(item == 1):
            a = use(1)
        with Else():
            b = use(2)
        chosen = OneOf(a, b)
        use(chosen)
    use(chosen)


def one_of_types():
    with If(one() > 1):
        a = one()
    with Else():
        b = word()
    use(OneOf(a, b))


def else_alone():
    with Else():
        use(1)


def elif_after_a_block():
    with If(one() > 1):
        use(1)
    with ParallelFor([1]) as item:
        use(item)
    with Elif(one() > 2):
        use(3)


def else_after_else():
    with If(one() > 1):
        use(1)
    with Else():
        use(2)
    with Else():
        use(3)


def exit_in_a_branch():
    with If(one() > 1), ExitHandler(clean_up()):
        use(1)


def exit_in_together():
    with Together(), ExitHandler(clean_up()):
        use(1)


def exit_in_exit():
    with ExitHandler(clean_up()), ExitHandler(report()):
        use(1)


@pipeline
def with_handler():
    with ExitHandler(clean_up()):
        use(1)


def exit_in_a_nested_pipeline():
    with_handler()


def exit_output_outside():
    with ExitHandler(clean_up()):
        a = use(1)
    use(a)


def exit_output_in_result():
    with ExitHandler(clean_up()):
        x = use(1)
    return x


def handler_takes_an_output():
    with ExitHandler(clean_up(one())):
        use(1)


def handler_waits():
    a = one()
    with ExitHandler(clean_up(after=a)):
        use(1)


def handler_result_taken():
    done = clean_up()
    with ExitHandler(done):
        use(1)
    use(done)


def handler_twice():
    done = clean_up()
    with ExitHandler(done):
        use(1)
    with ExitHandler(done):
        use(1)


def handler_with_a_status():
    with ExitHandler(report(FinalStatus("SUCCEEDED", "", ""))):
        use(1)


def handler_not_called():
    with ExitHandler(clean_up):
        use(1)


def handler_in_other_block():
    with ParallelFor([1]):
        done = clean_up()
    with ExitHandler(done):
        use(1)


def status_without_handler():
    report()


def waits_for_its_own_block():
    scope = ExitHandler(clean_up())
    with scope:
        use(1, after=scope)


REFUSED = [
    (branch_output_outside, "from a branch of `with If`", "OneOf(a, other)"),
    (branch_output_in_result, "the pipeline's result takes `a`", "OneOf"),
    (branch_to_branch, "from a branch", "move the call into the branch"),
    (elif_on_branch, "the condition takes `a`", "OneOf"),
    (after_a_branch, "waits for a step in a branch", "into the branch"),
    (after_a_branch_block, "waits for a step in a branch", "into the branch"),
    (loop_output_outside, "a value for each item", "`Collected(a)`"),
    (loop_output_in_other_loop, "a value for each item", "`Collected(a)`"),
    (item_outside, "outside of its block", "Move the call into the block"),
    (collected_in_its_loop, "in the same loop", "outside of that block"),
    (collected_without_loop, "in no loop", "inside `with ParallelFor"),
    (collected_of_a_constant, "not 3", "inside `with ParallelFor"),
    (collected_out_of_a_branch, "inside `with If`", "Move the call into that block"),
    (collected_leaves_the_outer_loop, "inside another ParallelFor", "list of lists"),
    (loop_over_collected, "cannot run over a Collected", "-> list"),
    (one_of_without_else, "needs an Else", "OneOf(from_if, from_else)"),
    (one_of_misses_a_branch, "no value for the branch", "each branch"),
    (one_of_other_switches, "different Ifs", "each branch"),
    (one_of_same_branch, "same branch", "each branch"),
    (one_of_deeper, "choice 1 of OneOf", "each branch"),
    (one_of_in_its_branch, None, None),
    (one_of_out_of_a_loop, "from inside another block", "beside its If"),
    (one_of_types, "different types: int, str", "annotate them alike"),
    (else_alone, "Else does not follow", "leave it out"),
    (elif_after_a_block, "Elif does not follow", "`with If(...):`"),
    (else_after_else, "Else does not follow", "leave it out"),
    (exit_in_a_branch, "stands inside `with If`", "outermost pipeline"),
    (exit_in_together, "stands inside `with Together`", "outermost pipeline"),
    (exit_in_exit, "stands inside `with ExitHandler`", "outermost pipeline"),
    (exit_in_a_nested_pipeline, "stands inside `with_handler(...)`", "outermost pipeline"),
    (handler_takes_an_output, "takes values of other steps", "FinalStatus"),
    (handler_waits, "takes values of other steps", "FinalStatus"),
    (handler_result_taken, "takes the result of an exit handler", "in the handler itself"),
    (handler_twice, "handler of another block already", "Call it again"),
    (handler_with_a_status, "only a run can tell one", "the handler receives it"),
    (handler_not_called, "takes the call of a step", "`with ExitHandler(clean_up(...)):`"),
    (handler_in_other_block, "called in another block", "Call it in place"),
    (status_without_handler, "it is no exit handler", "with ExitHandler(report(...))"),
    (waits_for_its_own_block, "the block that it stands in", "behind the block"),
]


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case[0].__name__)
def test_refused(case):
    body, message, hint = case
    problems = problems_of(body)
    assert problems
    if message is not None:
        assert len(problems) == 1, [problem.render() for problem in problems]
        assert message in problems[0].message
        assert hint in problems[0].hint
    assert problems[0].where.file == __file__


@pytest.mark.parametrize("body", [exit_output_outside, exit_output_in_result])
def test_values_may_leave_an_exit_handler(body):
    assert problems_of(body) == []


def branch_output_in_result():
    with If(one() > 3):
        x = use(1)
    return x


def test_a_wrong_result_is_shown_at_the_return():
    (problem,) = problems_of(branch_output_in_result)
    where = problem.where

    assert where.text.strip() == "return x"
    assert where.text[where.column : where.end_column] == "x"


def two_returns():
    with If(one() > 3):
        x = use(1)
    if two_returns:
        return x
    return None


def test_a_wrong_result_of_several_returns_is_shown_at_the_definition():
    (problem,) = problems_of(two_returns)

    assert problem.where.text.startswith("def two_returns")


def if_without_brackets():
    with If:
        use(1)
    with Else():
        use(2)


def else_without_brackets():
    with If(one() > 3):
        use(1)
    with Else:
        use(2)


def if_without_condition():
    with If():
        use(1)


def if_with_two_conditions():
    with If(one() > 3, one() < 5):
        use(1)


def else_with_condition():
    with If(one() > 3):
        use(1)
    with Else(one() > 2):
        use(2)


def loop_with_wrong_name():
    with ParallelFor([1], paralelism=2) as item:
        a = use(item)
    use(Collected(a))


def handler_left_out():
    with ExitHandler():
        use(1)


MISSPELLED = [
    (if_without_brackets, "with If:", "If is written without brackets", "`with If(value > 3):`"),
    (else_without_brackets, "with Else:", "Else is written without brackets", "`with Else():`"),
    (if_without_condition, "with If():", "missing a required argument: 'condition'", "value > 3"),
    (if_with_two_conditions, "with If(one()", "too many positional arguments", "value > 3"),
    (else_with_condition, "with Else(one()", "too many positional arguments", "`with Else():`"),
    (loop_with_wrong_name, "with Para", "it has no parameter `paralelism`", "Did you mean 'parall"),
    (handler_left_out, "with ExitH", "missing a required argument: 'handler'", "clean_up(...)"),
]


@pytest.mark.parametrize("case", MISSPELLED, ids=lambda case: case[0].__name__)
def test_blocks_that_are_misspelled(case):
    body, line, message, hint = case
    (problem,) = problems_of(body)
    assert problem.where.text.strip().startswith(line)
    assert message in problem.message
    assert hint in problem.hint


def test_a_step_that_ignores_failures_needs_a_default():
    @step(ignore_failures=True)
    def tell(x, y=2, *more):
        return x

    def body():
        a = one()
        tell(a)
        tell(a, one())
        tell(a, 1, a)
        tell(3, a)
        tell(3, after=a)
        tell(a, after=a)
        tell(3)

    (problem,) = problems_of(body)
    assert problem.where.text.strip() == "tell(a)"
    assert "without a value for `x` it cannot run" in problem.message
    assert problem.hint.startswith("Give `x` a default")


# Conditions and loops that read what is no primitive.
def condition_on_untyped():
    with If(untyped() > 3):
        use(1)


def condition_on_one_of_two():
    a, b = pair()
    with If(b > 3):
        use(1)


def condition_on_list():
    with If(names() == []):
        use(1)


def condition_on_part():
    with If(names()[0] == 1):
        use(1)


def condition_on_unknown_parameter(n):
    with If(n > 3):
        use(1)


def condition_on_none():
    with If(one() == None):
        use(1)


def condition_of_two_types():
    with If(word() > 3):
        use(1)


def loop_over_untyped():
    with ParallelFor(untyped()) as item:
        use(item)


def loop_over_text():
    with ParallelFor(word()) as item:
        use(item)


def loop_over_parameter(n: int):
    with ParallelFor(n) as item:
        use(item)


def condition_on_optional(n: int | None = None):
    with If(n > 3):
        use(1)


def condition_by_identity():
    with If(flag() is True):
        use(1)


def condition_on_text_item():
    with ParallelFor(["a", "b"]) as item:
        with If(item > 3):
            use(1)


def part_that_items_lack():
    with ParallelFor([{"a": 1}, {"b": 2}]) as item:
        use(item.a)


def part_of_numbers():
    with ParallelFor([{"a": [1, 2]}]) as item:
        with ParallelFor(item.a) as number:
            use(number["x"])


def condition_on_a_part_that_items_lack():
    with ParallelFor([[1, 2], [3]]) as item:
        with If(item[1] > 1):
            use(item)


def loop_over_number_item():
    with ParallelFor([1]) as item:
        with ParallelFor(item) as inner:
            use(inner)


def collected_in_a_branch():
    with If(one() > 3):
        use(Collected(one()))


def collected_choice():
    with ParallelFor([1]) as item:
        with If(item > 3):
            a = use(1)
        with Else():
            b = use(2)
        chosen = OneOf(a, b)
    use(Collected(chosen))


TYPES = [
    (condition_on_optional, "annotated as Optional[int]", "`n: int`"),
    (condition_by_identity, "it is False", "`with If(flag() == True):`"),
    (condition_on_text_item, "`item` of ParallelFor is str and 3 is int", "same type"),
    (part_that_items_lack, "no ['a']: item 1 is", "the same parts"),
    (part_of_numbers, "no ['x']: item 0 is 1", "the same parts"),
    (condition_on_a_part_that_items_lack, "no [1]: item 1 is [3]", "the same parts"),
    (loop_over_number_item, "`item` of ParallelFor is int", "Use a list"),
    (collected_in_a_branch, "step `one` is called in no loop", "inside `with ParallelFor"),
    (collected_choice, "not the value of OneOf", "take the OneOf"),
    (condition_on_untyped, "not annotated as one", "`def untyped(...) -> float:`"),
    (condition_on_one_of_two, "not annotated as one", "-> tuple[..., float]:`"),
    (condition_on_list, "annotated as list", "-> float"),
    (condition_on_part, "`output[0]` of step `names`", "a value of its own"),
    (condition_on_unknown_parameter, "parameter `n` is not annotated", "`n: float`"),
    (condition_on_none, "None is none of these", "int, float, str or bool"),
    (condition_of_two_types, "is str and 3 is int", "same type"),
    (loop_over_untyped, "not annotated as one", "`def untyped(...) -> list:`"),
    (loop_over_text, "annotated as str", "-> list"),
    (loop_over_parameter, "parameter `n` is annotated as int", "`n: list`"),
]


@pytest.mark.parametrize("case", TYPES, ids=lambda case: case[0].__name__)
def test_conditions_and_loops_need_primitives(case):
    body, message, hint = case
    (problem,) = problems_of(body)
    assert message in problem.message
    assert hint in problem.hint


@pytest.mark.parametrize(
    ("block", "shown"),
    [
        (If, ["condition"]),
        (Else, []),
        (ParallelFor, ["items", "parallelism", "per_pod"]),
        (ExitHandler, ["handler"]),
        (Together, []),
    ],
)
def test_help_shows_what_a_block_takes(block, shown):
    assert list(inspect.signature(block).parameters) == shown
