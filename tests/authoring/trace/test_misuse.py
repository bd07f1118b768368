"""What cannot be meant in a body: one problem, under the right text, saying what to write."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import json
import math
import pickle
import queue
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import pytest

from kalelite.authoring.control import If, ParallelFor
from kalelite.authoring.decorators import pipeline, step
from kalelite.errors import PipelineError


class Fields(NamedTuple):
    left: int
    right: int


@step
def one() -> int:
    return 1


@step
def make(seed=0):
    return seed


@step
def pair():
    left = right = 1
    return left, right


@step
def typed_pair() -> tuple[int, int]:
    return 1, 2


@step
def fields() -> Fields:
    return Fields(1, 2)


@step
def take(*values, **named):
    return values


def problems_of(body):
    return pipeline(body).draft()[1]


def caret(problem):
    where = problem.where
    return where.text[where.column : where.end_column]


def add(x):
    return x + 1


def text_of(x):
    return f"{x}"


# Each is one mistake: (body, words of the message, words of the hint)
def arithmetic():
    take(make() + 1)


def arithmetic_reflected():
    take(2 ** make())


def in_place():
    total = make()
    total += 1


def formatted():
    take(f"value {make()}")


def as_text():
    take(str(make()))


def percent():
    take("%s" % make())


def as_repr():
    take(f"{make()!r}")


def as_number():
    take(float(make()))


def as_range():
    for _ in range(make()):
        take()


def as_math():
    take(math.sqrt(make()))


def as_length():
    take(len(make()))


def as_bool():
    take(bool(make()))


def looped():
    for item in make():
        take(item)


def spread():
    take(*make())


def listed():
    take(list(make()))


def spread_dict():
    take(**make())


def as_dict():
    take(dict(make()))


def dict_display():
    take({**make()})


def asks_its_type():
    value = make()
    if isinstance(value, dict):
        take(value)


def matches_its_type():
    value = make()
    match value:
        case str():
            take(value)


def starred():
    first, *rest = pair()


def attribute():
    take(make().shape)


def method():
    take(make().mean())


def sliced():
    take(make()[1:])


def by_output():
    take(make()[one()])


def contained():
    take(3 in make())


def assigned_item():
    data = make()
    data["a"] = 1


def assigned_attribute():
    data = make()
    data.name = 1


def deleted():
    data = make()
    del data["a"]


def called():
    train = make()
    train(1)


def opened():
    with make():
        take()


def helper():
    add(make())


def helper_text():
    text_of(make())


def json_text():
    take(json.dumps(make()))


def in_a_set():
    take({make()})


def as_a_key():
    take({make(): 1})


def in_an_object():
    @dataclasses.dataclass
    class Box:
        value: object

    take(Box(make()))


def compared_for_a_step():
    take(one() > 3)


def chained():
    value = one()
    with If((1 < value) == (value < 3)):
        take()


def logic_without_brackets():
    a = one()
    with If(a > 3 & a):
        take()


def negated():
    with If(~make()):
        take()


def pickled():
    pickle.dumps(make())
    take()


def too_few_names():
    a, b = typed_pair_of_three()


@step
def typed_pair_of_three() -> tuple[int, int, int]:
    return 1, 2, 3


def one_value_unpacked():
    a, b = one()


def tuple_of_other_length():
    a, b, c = pair_returned()


@step
def pair_returned():
    return 1, 2


def nothing_unpacked():
    a, b = returns_nothing()


@step
def returns_nothing():
    print("done")


def unpacked_twice():
    value = make()
    a, b = value
    c, d, e = value


def out_of_range():
    take(typed_pair()[2])


def no_such_field():
    take(fields().middle)


def missing_argument():
    needs()


def unknown_argument():
    needs(1, rate=3)


@step
def needs(x):
    return x


def constant_condition():
    with If(3 > 2):
        take()


def value_condition():
    with If(make()):
        take()


def if_without_with():
    If(one() > 3)
    take()


def items_of_no_list():
    with ParallelFor("abc"):
        take()


def items_of_results():
    with ParallelFor([make(), make()]) as item:
        take(item)


def tuple_item():
    with ParallelFor([(1, 2)]) as item:
        take(item)


def zero_parallelism():
    with ParallelFor([1], parallelism=0) as item:
        take(item)


def after_a_constant():
    take(1, after=3)


def after_the_step_itself():
    make()
    take(1, after=make)


def after_itself():
    value = make()
    value.after(value)


def waits_in_a_ring():
    first, second = one(), make()
    first.after(second)
    second.after(first)


def held_by_itself():
    ring = [make()]
    ring.append(ring)
    take(ring)


def from_generator():
    take(make(n) for n in range(3))


def raises():
    take()
    {}["key"]


def shadows():
    needs = needs(1)  # noqa: F823


CASES = [
    (arithmetic, "`+` cannot compute", "make() + 1", "Compute it in a step"),
    (arithmetic_reflected, "`**` cannot compute", "2 ** make()", "step"),
    (in_place, "`+` cannot compute", "total += 1", "step"),
    (formatted, "no text of it", None, "inside a step"),
    (as_text, "no text of it", "str(make())", "inside a step"),
    (percent, "no text of it", '"%s" % make()', "inside a step"),
    (as_repr, "text made from an output", None, "Pass the output itself"),
    (as_number, "float() cannot read it", "float(make())", "inside the step"),
    (as_range, "index() cannot read it", "range(make())", "inside the step"),
    (as_math, "float() cannot read it", "math.sqrt(make())", "inside the step"),
    (as_length, "len() cannot read it", "len(make())", "inside the step"),
    (as_bool, "cannot decide", "bool(make())", "with If"),
    (looped, "cannot be looped over", None, "with ParallelFor"),
    (spread, "cannot be spread", None, "Pass it on as it is"),
    (listed, "cannot be spread", "list(make())", "Pass it on as it is"),
    (spread_dict, "cannot be spread", "take(**make())", "Pass it on as it is"),
    (as_dict, "cannot be spread", "dict(make())", "take it apart"),
    (dict_display, "cannot be spread", "{**make()}", "take it apart"),
    (asks_its_type, "its type is not known", "isinstance(value, dict)", "inside the step"),
    (matches_its_type, "its type is not known", "str()", "inside the step"),
    (starred, "unpacked with a star", None, "Keep it whole"),
    (attribute, "no attribute `shape`", "make().shape", "make().shape"),
    (method, "no attribute `mean`", "make().mean", "inside the step"),
    (sliced, "one number or name", "make()[1:]", "[0]"),
    (by_output, "one number or name", "make()[one()]", "[0]"),
    (contained, "`in` cannot look", "3 in make()", "returns a bool"),
    (assigned_item, "cannot be changed", 'data["a"]', "return the changed value"),
    (assigned_attribute, "cannot be changed", "data.name", "return the changed value"),
    (deleted, "cannot be changed", 'data["a"]', "return the changed value"),
    (called, "called like a function", "train(1)", "another name"),
    (opened, "no context manager", None, "inside a step"),
    (helper, "`add` is no step", "add(make())", "Decorate `add` with @step"),
    (helper_text, "`text_of` is no step", "text_of(make())", "Decorate `text_of` with @step"),
    (json_text, "not JSON serializable", "json.dumps(make())", "inside the step"),
    (in_a_set, "inside a set", "take({make()})", "argument of its own"),
    (as_a_key, "a key of a dict", "take({make(): 1})", "argument of its own"),
    (in_an_object, "inside a Box", "take(Box(make()))", "argument of its own"),
    (compared_for_a_step, "a comparison is no value", "take(one() > 3)", "with If"),
    (chained, "cannot be compared or chained", "(1 < value) == (value < 3)", "two comparisons"),
    (logic_without_brackets, "`&` joins conditions", "3 & a", "in brackets"),
    (negated, "`~` negates a condition", "~make()", "~(a > 3)"),
    (pickled, "HiddenRefError", "pickle.dumps(make())", "inside the step"),
    (too_few_names, "returns 3 values; here it is unpacked into 2 names", None, "as many names"),
    (one_value_unpacked, "returns int, one value", None, "keep the result whole"),
    (tuple_of_other_length, "returns 2 values", None, "as many names"),
    (nothing_unpacked, "returns nothing", None, "as many names"),
    (unpacked_twice, "as it was unpacked before", None, "as many names"),
    (out_of_range, "there is no number 2", "typed_pair()[2]", "[0] to [1]"),
    (no_such_field, "no field `middle`", "fields().middle", "left, right"),
    (missing_argument, "missing a required argument: 'x'", "needs()", "needs(x)"),
    (unknown_argument, "it has no parameter `rate`", "needs(1, rate=3)", "needs(x)"),
    (constant_condition, "decided already: it is True", "If(3 > 2)", "`if 3 > 2:`"),
    (value_condition, "no condition", "If(make())", "Compare it"),
    (if_without_with, "does nothing by itself", "If(one() > 3)", "with If"),
    (items_of_no_list, "of type str", 'ParallelFor("abc")', "list(...)"),
    (items_of_results, "one result that is a list", None, "Python `for`"),
    (tuple_item, "a tuple; write a list", None, "Items are"),
    (zero_parallelism, "parallelism=0", None, "from 1 on"),
    (after_a_constant, "not for 3", "take(1, after=3)", "after=result"),
    (after_the_step_itself, "the step `make` itself", None, "result of the call"),
    (after_itself, "cannot wait for itself", "value.after(value)", "come before"),
    (waits_in_a_ring, "wait for each other", None, "Take out"),
    (held_by_itself, "holds itself", "take(ring)", "flat value"),
    (from_generator, "is a generator, which has not run", None, "Write a list"),
    (raises, "KeyError: 'key'", '{}["key"]', "runs once"),
    (shadows, "UnboundLocalError", None, "`needs_result = needs(...)`"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0].__name__)
def test_misuse(case):
    body, message, text, hint = case
    problems = problems_of(body)
    assert len(problems) == 1, [problem.render() for problem in problems]
    (problem,) = problems
    assert message in problem.message
    assert hint in problem.hint
    first = body.__code__.co_firstlineno
    last = max(line for _, _, line in body.__code__.co_lines() if line)
    assert first < problem.where.line <= last
    assert problem.where.file == __file__
    if text is not None and (sys.version_info >= (3, 11) or problem.where.column is not None):
        assert caret(problem) == text or sys.version_info < (3, 11)


def test_what_a_value_used_as_a_context_manager_raises_inside_is_not_lost():
    def body():
        with make():
            {}["key"]

    kinds = [problem.message for problem in problems_of(body)]
    assert len(kinds) == 2
    assert "is no context manager" in kinds[0]
    assert kinds[1] == "KeyError: 'key'"


def if_comparison():
    if one() > 3:
        take()


def if_value():
    value = one()
    if value:
        take()
    else:
        take(2)


def if_joined():
    a = one()
    if a > 3 and not a == 7:
        take()


def if_chain():
    a = one()
    if 1 < a < 5:
        take()


def elif_(n=3):
    if False:
        take()
    elif n == 3:
        take()


def ternary():
    a = one()
    take(1 if a > 3 else 2)


def while_():
    a = one()
    while a < 3:
        take(a)


def while_not():
    a = one()
    while not a < 3:
        take(a)


def assert_():
    a = one()
    assert a > 3


def comprehension():
    a = one()
    take([n for n in [1] if a > n])


def if_not():
    a = one()
    with If(not a > 3):
        take()


def if_in():
    a = one()
    with If(a in (1, 2)):
        take()


def if_not_in():
    a = one()
    if a not in [1, 2]:
        take()


def short_circuit():
    a = one()
    take(a or 3)


CONDITIONS = [
    (if_comparison, "`if`", "one() > 3", "`with If(one() > 3):`"),
    (if_value, "`if`", "value", "`with If(value > 0):` and `with Else():`"),
    (if_joined, "`if`", "a > 3 and not a == 7", "`with If((a > 3) & ~(a == 7)):`"),
    (if_chain, "`if`", "1 < a < 5", "`with If((1 < a) & (a < 5)):`"),
    (elif_, "`elif`", "n == 3", "`with Elif(n == 3):`"),
    (ternary, "`… if … else …`", "a > 3", "OneOf(a, b)"),
    (while_, "`while`", "a < 3", "Put the loop into a step"),
    (while_not, "`while`", "not a < 3", "Put the loop into a step"),
    (assert_, "`assert`", "a > 3", "into a step"),
    (comprehension, "comprehension", None, "inside a step"),
    (if_not, "`and`, `or`, `not`", "not a > 3", "`~(a > 3)`"),
    (if_in, "`in`", "a in (1, 2)", "`(a == 1) | (a == 2)`"),
    (if_not_in, "`if`", "a not in [1, 2]", "`with If((a != 1) & (a != 2)):`"),
    (short_circuit, "`and`, `or`, `not`", "a or 3", "use a step"),
]


@pytest.mark.parametrize("case", CONDITIONS, ids=lambda case: case[0].__name__)
def test_python_conditions_are_rewritten(case):
    body, what, text, hint = case
    problems = problems_of(body)
    assert len(problems) == 1, [problem.render() for problem in problems]
    assert what in problems[0].message or what in problems[0].hint
    assert hint in problems[0].hint
    if text is not None:
        assert caret(problems[0]) == text


def test_all_problems_of_a_pipeline_are_reported_at_once():
    @pipeline
    def many(n=1):
        a = make()
        take(a + 1)
        if a:
            take(a.b)
        x, y = one()
        take(x, y, x + y)
        for item in a:
            take(item.inside)
        needs()

    with pytest.raises(PipelineError) as caught:
        many.plan()
    lines = [problem.where.line for problem in caught.value.problems]
    assert len(lines) == 6
    assert lines == sorted(lines)
    assert str(caught.value).count("^") >= 6


def test_the_same_mistake_in_a_loop_is_one_problem():
    def body():
        for number in range(5):
            take(make(number) + number)

    assert len(problems_of(body)) == 1


def test_what_a_mistake_leaves_behind_makes_no_noise():
    def body():
        bad = make() + 1
        for item in bad.list:
            take(item)
        if bad > 3:
            a, b = bad["key"]
            take(f"{a}", -b, int(bad))

    assert len(problems_of(body)) == 1


def test_text_for_a_debugger_is_no_mistake():
    def body():
        value = make()
        assert repr(value) == "<kalelite: value, the output of step make>"
        take(value)

    assert problems_of(body) == []


def test_a_debugger_may_print():
    space = {"__name__": "pdb"}
    exec("def show(value): return str(value), f'{value}'[:0]", space)

    def body():
        value = make()
        str_ = space["show"](value)[0]
        assert "make" in str_

    problems = problems_of(body)
    assert [problem.message for problem in problems if "no text" in problem.message] == []


def test_numpy_on_an_output():
    numpy = pytest.importorskip("numpy", reason="pip install numpy")

    def body():
        take(numpy.ones(3) + make())
        take(numpy.mean(make()))

    problems = problems_of(body)
    assert len(problems) == 2
    assert "`+` cannot compute" in problems[0].message


def test_a_library_given_an_output_is_named_at_the_call():
    statistics = pytest.importorskip("statistics")

    def body():
        take(statistics.mean(make()))

    (problem,) = problems_of(body)
    assert "`mean` is no step" in problem.message
    assert problem.where.file == __file__


def test_an_output_of_another_pipeline():
    kept = []

    @pipeline
    def first():
        kept.append(make())

    first.plan()

    def second():
        take(kept[0])
        make().after(kept[0])
        kept[0] + 1

    problems = problems_of(second)
    assert len(problems) == 3
    assert all("another pipeline" in problem.message for problem in problems)
    with pytest.raises(PipelineError, match="another pipeline"):
        kept[0] + 1


def test_a_pipeline_that_calls_itself():
    @pipeline
    def again():
        make()
        again()

    (problem,) = again.draft()[1]
    assert "calls itself" in problem.message


def test_a_pipeline_without_steps():
    def body():
        """Nothing to do."""

    (problem,) = problems_of(body)
    assert "calls no step" in problem.message


def test_the_line_of_an_exception_in_a_helper_is_that_of_the_body():
    def broken():
        raise ValueError("inside")

    def body():
        take()
        broken()

    (problem,) = problems_of(body)
    assert problem.where.text.strip() == "broken()"
    assert "raised at" in problem.message


def test_an_exception_inside_blocks_leaves_the_trace_whole():
    def body():
        with ParallelFor([1]) as item, If(item == 1):
            raise RuntimeError("stop")

    plan, problems = pipeline(body).draft()
    assert [block.id for block in plan.blocks] == ["for", "if", "if-then"]
    assert "RuntimeError: stop" in problems[0].message


def test_a_lambda_is_shown_where_the_decorator_is_called():
    made = step(lambda x: x)

    @pipeline
    def body():
        made(1)

    (problem,) = body.draft()[1]
    assert problem.where.text.strip() == "made = step(lambda x: x)"


DEFINITIONS = {
    "lambda": lambda: step(lambda x: x),
    "partial": lambda: step(functools.partial(add, 1)),
    "class": lambda: step(Fields),
    "generator": lambda: step(_generator),
    "async": lambda: step(_coroutine),
    "built in": lambda: step(len),
    "staticmethod": lambda: step(staticmethod(add)),
    "method": lambda: step(_Owner().act),
    "method of": lambda: _Owner.step_like,
    "twice": lambda: step(step(add)),
    "pipeline": lambda: step(pipeline(make)),
    "cached": lambda: step(functools.cache(add)),
    "object": lambda: step(3),
    "unknown": lambda: step(memroy="1Gi")(add),
}


def _generator():
    yield 1


async def _coroutine():
    await asyncio.sleep(0)


class _Owner:
    def act(self):
        return 1

    @step
    def step_like(self, other):
        return 1


@pytest.mark.parametrize("name", DEFINITIONS)
def test_what_is_no_plain_function(name):
    made = DEFINITIONS[name]()

    @pipeline
    def body():
        made(1)

    problems = body.draft()[1]
    assert len(problems) == 1, [problem.render() for problem in problems]
    assert problems[0].where.file == __file__
    assert problems[0].where.text
    assert problems[0].hint
    words = {
        "unknown": "memroy",
        "object": "int object",
        "pipeline": "Pipeline object",
        "cached": "`add` has become a _lru_cache_wrapper object",
    }.get(name, name)
    assert words in problems[0].message


@pytest.mark.parametrize("what", ["a comparison", "inside a Box"])
def test_a_result_that_cannot_be_followed_is_shown_at_the_return(what):
    class Box:
        def __init__(self, value):
            self.value = value

    @pipeline
    def compared():
        return one() == 3

    @pipeline
    def boxed():
        return Box(make())

    (problem,) = {"a comparison": compared, "inside a Box": boxed}[what].draft()[1]

    assert what in problem.message
    assert problem.where.file == __file__
    assert problem.where.text.strip().startswith("return ")


def test_a_step_called_in_a_thread_is_told_once():
    def body():
        with ThreadPoolExecutor() as pool:
            values = list(pool.map(make, range(3)))
        take(values)

    (problem,) = problems_of(body)

    assert problem.message == "step `make` is called in a thread, where the plan cannot follow it"
    assert problem.where.file == __file__
    assert "side by side" in problem.hint


def test_a_thread_that_was_there_before_may_call_steps_meanwhile():
    asked, answers = queue.Queue(), queue.Queue()
    other = threading.Thread(target=lambda: answers.put(make(asked.get())))
    other.start()

    def body():
        make()
        asked.put(5)
        assert answers.get() == 5

    assert problems_of(body) == []
    other.join()


def test_decorators_given_a_bare_text():
    @step("train_it")
    def train(x):
        return x

    @pipeline("my-pipe")
    def body():
        train(1)

    plan, problems = body.draft()
    assert plan.name == "my-pipe"
    assert plan.tasks[0].id == "train-it"
    assert [problem.hint for problem in problems] == [
        "Write `@step(name='train_it')`.",
        "Write `@pipeline(name='my-pipe')`.",
    ]


@pytest.mark.parametrize("target", [lambda: 1, add.__class__, make, _coroutine, 3])
def test_pipeline_on_what_is_no_function(target):
    (problem, *_) = pipeline(target).draft()[1]
    assert "@pipeline" in problem.message


def test_two_steps_whose_names_become_one():
    @step(name="my_step")
    def first():
        return 1

    @step(name="my-step")
    def second():
        return 2

    def body():
        first()
        second()

    (problem,) = problems_of(body)
    assert "`my_step` and `my-step`" in problem.message
    assert "@step(name=" in problem.hint


def test_a_factory_may_make_the_same_step_again_and_again():
    def factory(number):
        @step
        def made():
            return number

        return made

    def body():
        for number in range(3):
            factory(number)()

    plan, problems = pipeline(body).draft()
    assert problems == []
    assert [task.id for task in plan.tasks] == ["made", "made-2", "made-3"]


@pytest.mark.parametrize(
    "name", ["Ünïcode", "🚀", "训练", "x" * 200, "..", "con", "exit-handler", "a b"]
)
def test_names_of_any_kind_become_ids(name):
    @step(name=name)
    def named():
        return 1

    def body():
        named()

    plan, problems = pipeline(body).draft()
    assert problems == []
    id = plan.tasks[0].id
    assert 0 < len(id) <= 63
    assert id.replace("-", "").isascii()
    assert id.replace("-", "").isalnum()


def bad_stars(*args):
    make()


def bad_default(path=sys):
    make(path)


def bad_annotation(n: int = "three"):
    make(n)


@pytest.mark.parametrize("body", [bad_stars, bad_default, bad_annotation])
def test_parameters_of_a_pipeline_that_cannot_be(body):
    (problem,) = problems_of(body)
    assert problem.where.text.startswith(f"def {body.__name__}")


def test_a_name_that_is_no_parameter_is_told_before_the_one_that_is_missing():
    @step
    def fit(rows, rate):
        return rows

    def study():
        fit([1], rats=2)

    problem = problems_of(study)[0]

    assert problem.message == "step `fit` cannot be called like this: it has no parameter `rats`"
    assert problem.hint.startswith(
        "Did you mean 'rate'? It is defined as `fit(rows, rate)` at line"
    )
