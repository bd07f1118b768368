"""The schedule: control flow as tables of what runs, what does not, and why."""

import inspect
from collections import deque

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kalelite.authoring.events import LoopStarted, Note, TaskSkipped
from kalelite.engine.schedule import Schedule
from kalelite.engine.transitions import Instance, Outcome, Ready
from kalelite.errors import Where
from kalelite.plan.graph import (
    AllOf,
    Branch,
    Collected,
    Compare,
    Constant,
    ExitScope,
    Group,
    ItemRef,
    Loop,
    Negation,
    OneOf,
    Output,
    OutputRef,
    Pack,
    ParameterRef,
    Plan,
    StatusRef,
    StepDef,
    Switch,
    Task,
)
from kalelite.plan.options import PipelineOptions, StepOptions
from kalelite.plan.order import Scopes, cycle, dependencies


def task(id, parent="", after=(), ignore=False, default=False, **arguments):
    """A task whose arguments may be the ids of other tasks."""

    def function(**kwargs):
        return kwargs

    kind = inspect.Parameter.KEYWORD_ONLY
    empty = None if default else inspect.Parameter.empty
    signature = inspect.Signature(
        [inspect.Parameter(name, kind, default=empty) for name in arguments]
    )
    values = {
        name: ref(value) if isinstance(value, str) else value for name, value in arguments.items()
    }
    return Task(
        id,
        StepDef(id, function, signature),
        values,
        (Output("output"),),
        after=tuple(after),
        options=StepOptions(ignore_failures=ignore),
        parent=parent,
    )


def ref(task, *path):
    return OutputRef(task, "output", path)


def plan(*items, order="data"):
    tasks = tuple(item for item in items if isinstance(item, Task))
    blocks = tuple(item for item in items if not isinstance(item, Task))
    return Plan("p", tasks, blocks, options=PipelineOptions(order=order))


class Ran:
    """A whole run of a schedule, one instance at a time, in the order they became ready."""

    def __init__(self, plan, values=None, failing=(), parameters=None, width=1, stop_at=None):
        self.schedule = Schedule(plan, parameters or {})
        self.order, self.skipped, self.troubles, self.counts = [], {}, [], {}
        self.defaulted, self.most = {}, 0
        self._queue = deque()
        self._take(self.schedule.start())
        while self._queue:
            self.most = max(self.most, len(self._queue))
            instance = self._queue.popleft()
            self.order.append(instance.name)
            if instance.name == stop_at:
                self._take(self.schedule.interrupt("the run was interrupted"))
                while self._queue:
                    left = self._queue.pop()
                    self._take(self.schedule.finish(left, Outcome("cancelled")))
            if instance.name in failing or instance.task in failing:
                outcome = Outcome("failed", message="boom")
            elif instance.name == stop_at:
                outcome = Outcome("cancelled")
            else:
                value = (values or {}).get(instance.name, (values or {}).get(instance.task))
                outcome = Outcome("succeeded", {"output": {"ref": "r", "native": value}})
            self._take(self.schedule.finish(instance, outcome))
        assert self.schedule.done

    def _take(self, changes):
        for change in changes:
            if isinstance(change, Ready):
                self._queue.append(change.instance)
                self.defaulted[change.instance.name] = change.defaulted
            elif isinstance(change, TaskSkipped):
                self.skipped[change.task] = (change.status, change.reason)
            elif isinstance(change, Note):
                self.troubles.append(change.text)
            elif isinstance(change, LoopStarted):
                self.counts[change.loop] = change.count

    @property
    def state(self):
        return self.schedule.state


def chain():
    return plan(task("a"), task("b", x="a"), task("c", x="b"))


def if_else(condition, *, parent=""):
    """An If on the output of `a`, with an Else."""
    return [
        Switch("s", parent),
        Branch("yes", "s", condition=condition, where=Where("f.py", 7)),
        Branch("no", "s"),
    ]


def test_an_empty_plan_is_done_at_once():
    schedule = Schedule(plan(), {})

    assert schedule.start() == []
    assert schedule.done
    assert schedule.state == "succeeded"


def test_data_orders_a_chain():
    ran = Ran(chain())

    assert ran.order == ["a", "b", "c"]
    assert ran.state == "succeeded"


def test_independent_tasks_are_ready_together():
    ran = Ran(plan(task("a"), task("b"), task("c", x="a", y="b")))

    assert ran.order == ["a", "b", "c"]
    assert ran.most == 2


def test_after_orders_tasks_without_data():
    ran = Ran(plan(task("a", after=["b"]), task("b")))

    assert ran.order == ["b", "a"]


def test_order_by_calls_waits_for_the_call_before():
    ran = Ran(plan(task("a"), task("b"), task("c"), order="calls"))

    assert ran.most == 1


def test_a_failure_rules_out_what_depends_on_it_and_nothing_else():
    ran = Ran(
        plan(task("a"), task("b", x="a"), task("c", x="b"), task("d"), task("e", x="d")),
        failing={"a"},
    )

    assert ran.order == ["a", "d", "e"]
    assert ran.skipped == {"b": ("not run", "a failed"), "c": ("not run", "a failed")}
    assert ran.state == "failed"


def test_a_tolerant_task_runs_with_its_default_after_a_failure():
    ran = Ran(
        plan(task("a"), task("b", x="a", ignore=True, default=True), task("c", x="b")),
        failing={"a"},
    )

    assert ran.order == ["a", "b", "c"]
    assert ran.defaulted["b"] == ("x",)
    assert ran.state == "failed"


def test_a_tolerant_task_without_a_default_is_not_run():
    ran = Ran(plan(task("a"), task("b", x="a", ignore=True)), failing={"a"})

    assert ran.skipped == {"b": ("not run", "a failed")}


@pytest.mark.parametrize(("value", "taken", "left"), [(5, "y", "n"), (1, "n", "y")])
def test_a_condition_chooses_a_branch(value, taken, left):
    ran = Ran(
        plan(
            *if_else(Compare(">", ref("a"), Constant(3))),
            task("a"),
            task("y", "yes"),
            task("n", "no"),
        ),
        {"a": value},
    )

    assert ran.order == ["a", taken]
    assert list(ran.skipped) == [left]
    assert ran.state == "succeeded"


def test_a_skipped_branch_says_which_condition_was_false():
    ran = Ran(
        plan(
            *if_else(Compare(">", ref("a"), Constant(3))),
            task("a"),
            task("y", "yes"),
            task("n", "no"),
        ),
        {"a": 1},
    )

    assert ran.skipped["y"] == ("skipped", "the condition at line 7 was false")


def test_only_the_first_branch_that_holds_is_taken():
    holds = Compare("==", Constant(1), Constant(1))
    ran = Ran(
        plan(
            Switch("s"),
            Branch("one", "s", condition=Negation(holds)),
            Branch("two", "s", condition=AllOf((holds, holds))),
            Branch("three", "s", condition=holds),
            task("a", "one"),
            task("b", "two"),
            task("c", "three"),
        )
    )

    assert ran.order == ["b"]
    assert ran.skipped["c"] == ("skipped", "an earlier branch was taken")


def lone_if(value):
    return plan(
        Switch("s"),
        Branch("yes", "s", condition=Compare("==", ParameterRef("p"), Constant(value))),
        task("inside", "yes"),
        task("later", after=["inside"]),
    )


def test_what_follows_a_lone_if_is_skipped_with_it():
    """KFP waits for `condition-1.Succeeded`, and a condition that was not met is Skipped."""
    ran = Ran(lone_if(1), parameters={"p": 2})

    assert ran.order == []
    assert ran.skipped["later"][0] == "skipped"
    assert "s was skipped" in ran.skipped["later"][1]
    assert ran.state == "succeeded"


def test_what_follows_a_lone_if_that_is_taken_runs():
    assert Ran(lone_if(2), parameters={"p": 2}).order == ["inside", "later"]


def test_what_follows_an_if_with_elif_runs_even_where_no_branch_is_taken():
    """KFP wraps such branches in a graph of their own, which succeeds."""
    no = Compare("==", Constant(1), Constant(2))
    ran = Ran(
        plan(
            Switch("s"),
            Branch("one", "s", condition=no),
            Branch("two", "s", condition=no),
            task("a", "one"),
            task("b", "two"),
            task("later", after=["a"]),
        )
    )

    assert ran.order == ["later"]


@pytest.mark.parametrize(("value", "source"), [(1, "y"), (2, "n")])
def test_one_of_gives_the_value_of_the_branch_that_ran(value, source):
    either = OneOf("s", (ref("y"), ref("n")))
    ran = Ran(
        plan(
            *if_else(Compare("==", ParameterRef("p"), Constant(1))),
            task("y", "yes"),
            task("n", "no"),
            task("use", x=either),
        ),
        parameters={"p": value},
    )

    assert ran.order == [source, "use"]
    assert ran.schedule.view("use").choice(either) == ref(source)


def test_a_value_taken_from_a_branch_that_did_not_run_skips_the_consumer():
    ran = Ran(
        plan(
            *if_else(Compare("==", Constant(1), Constant(2))),
            task("y", "yes"),
            task("n", "no"),
            task("use", x="y"),
        )
    )

    assert ran.skipped["use"] == ("skipped", "y was skipped")


def test_a_comparison_that_python_refuses_fails_the_run():
    ran = Ran(
        plan(
            *if_else(Compare(">", ref("a"), Constant(3))),
            task("a"),
            task("y", "yes"),
            task("n", "no"),
        ),
        {"a": "text"},
    )

    assert ran.troubles == ["s: a condition cannot compare str > int"]
    assert set(ran.skipped) == {"y", "n"}
    assert ran.state == "failed"


def loop(items, parallelism=None, parent="", id="l"):
    return Loop(id, parent, items=items, parallelism=parallelism)


def test_a_loop_runs_its_body_for_each_item():
    ran = Ran(plan(loop(Constant([10, 20])), task("a", "l", x=ItemRef("l")), task("b", "l", x="a")))

    assert ran.order == ["a[0]", "a[1]", "b[0]", "b[1]"]
    assert ran.counts == {"l": 2}
    assert ran.schedule.view("a", (1,)).item("l") == 20


@pytest.mark.parametrize(
    "items", [ParameterRef("p"), ref("a"), ref("b", "k"), Pack(list, (Constant(1), ref("c")))]
)
def test_items_come_from_parameters_and_outputs(items):
    ran = Ran(
        plan(loop(items), task("a"), task("b"), task("c"), task("body", "l")),
        {"a": [1, 2], "b": {"k": [1, 2]}, "c": 5},
        parameters={"p": [1, 2]},
    )

    assert [name for name in ran.order if name.startswith("body")] == ["body[0]", "body[1]"]


def test_an_empty_loop_is_done_at_once():
    collected = Collected(ref("body"), ("l",))
    ran = Ran(plan(loop(Constant([])), task("body", "l"), task("sum", x=collected)))

    assert ran.order == ["sum"]
    assert ran.schedule.view("sum").entries(collected) == []


def test_items_that_are_no_list_fail_the_run():
    ran = Ran(plan(loop(ref("a")), task("a"), task("body", "l")), {"a": 3})

    assert ran.troubles == ["l: a ParallelFor goes over a list, and this is a int"]
    assert ran.state == "failed"


@pytest.mark.parametrize(("parallelism", "most"), [(None, 6), (2, 2), (1, 1), (10, 6)])
def test_parallelism_bounds_the_iterations_that_run_at_once(parallelism, most):
    ran = Ran(
        plan(loop(Constant(list(range(6))), parallelism), task("a", "l"), task("b", "l", x="a"))
    )

    assert ran.most == most
    assert len(ran.order) == 12


def test_collected_is_in_item_order_whatever_ends_first():
    collected = Collected(ref("a"), ("l",))
    schedule = Schedule(plan(loop(Constant([1, 2, 3])), task("a", "l"), task("s", x=collected)), {})
    ready = [change.instance for change in schedule.start() if isinstance(change, Ready)]
    for instance in reversed(ready):
        outcome = Outcome("succeeded", {"output": {"native": instance.index[0] * 10}})
        schedule.finish(instance, outcome)

    assert schedule.view("s").collected(collected) == [0, 10, 20]


def test_nested_loops_collect_lists_of_lists():
    collected = Collected(ref("a"), ("l", "m"))
    ran = Ran(
        plan(
            loop(Constant([[1, 2], [3]])),
            loop(ItemRef("l"), parent="l", id="m"),
            task("a", "m"),
            task("s", x=collected),
        ),
        {"a[0][0]": 1, "a[0][1]": 2, "a[1][0]": 3},
    )

    assert ran.order[-1] == "s"
    assert ran.schedule.view("s").collected(collected) == [[1, 2], [3]]


def test_a_failed_iteration_leaves_the_others_and_rules_out_the_fan_in():
    collected = Collected(ref("a"), ("l",))
    ran = Ran(
        plan(
            loop(Constant([1, 2, 3])), task("a", "l"), task("b", "l", x="a"), task("s", x=collected)
        ),
        failing={"a[1]"},
    )

    assert ran.order == ["a[0]", "a[1]", "a[2]", "b[0]", "b[2]"]
    assert ran.skipped == {"b[1]": ("not run", "a[1] failed"), "s": ("not run", "a[1] failed")}


def test_items_that_a_condition_leaves_out_keep_their_place():
    collected = Collected(ref("a"), ("l",))
    ran = Ran(
        plan(
            loop(Constant([1, 5, 2, 7])),
            Switch("s", "l"),
            Branch("big", "s", condition=Compare(">", ItemRef("l"), Constant(3))),
            task("a", "big"),
            task("sum", x=collected),
        ),
        {"a[1]": 5, "a[3]": 7},
    )

    assert ran.order == ["a[1]", "a[3]", "sum"]
    assert ran.schedule.view("sum").collected(collected) == [None, 5, None, 7]


def test_a_step_after_a_step_in_a_loop_waits_for_the_whole_loop():
    ran = Ran(
        plan(loop(Constant([1, 2])), task("a", "l"), task("z", "l", x="a"), task("b", after=["a"]))
    )

    assert ran.order[-1] == "b"


def test_a_thousand_items():
    ran = Ran(plan(loop(Constant(list(range(1000)))), task("a", "l")))

    assert len(ran.order) == 1000


def test_a_thousand_items_that_do_nothing_need_no_deep_stack():
    no = Compare("==", Constant(1), Constant(2))
    ran = Ran(
        plan(
            loop(Constant(list(range(3000))), 1),
            Switch("s", "l"),
            Branch("b", "s", condition=no),
            task("a", "b"),
        )
    )

    assert ran.order == []
    assert len(ran.skipped) == 3000


def test_a_chain_of_five_thousand_that_fails_first():
    tasks = [task("t0"), *(task(f"t{i}", x=f"t{i - 1}") for i in range(1, 5000))]
    ran = Ran(plan(*tasks), failing={"t0"})

    assert len(ran.skipped) == 4999


def exit_scope(*body, handler_parent=""):
    return plan(
        ExitScope("e", handler_parent, handler="clean"),
        task("clean", handler_parent, status=StatusRef("e")),
        *body,
    )


def test_a_handler_runs_after_a_good_body():
    ran = Ran(exit_scope(task("a", "e"), task("b", "e", x="a")))

    assert ran.order == ["a", "b", "clean"]
    assert ran.schedule.view("clean").status("e") == {
        "state": "SUCCEEDED",
        "failed_task": "",
        "message": "",
    }
    assert ran.state == "succeeded"


def test_a_handler_runs_after_a_failure_and_is_told():
    ran = Ran(exit_scope(task("a", "e"), task("b", "e", x="a")), failing={"a"})

    assert ran.order == ["a", "clean"]
    assert ran.schedule.view("clean").status("e") == {
        "state": "FAILED",
        "failed_task": "a",
        "message": "boom",
    }
    assert ran.state == "failed"


def test_a_handler_of_a_scope_that_never_began_is_not_run():
    ran = Ran(exit_scope(task("first"), task("a", "e", x="first")), failing={"first"})

    assert ran.skipped["clean"] == ("not run", "first failed")


def test_a_handler_runs_when_the_run_is_interrupted():
    ran = Ran(exit_scope(task("a", "e"), task("b", "e", x="a")), stop_at="a")

    assert ran.order == ["a", "clean"]
    assert ran.schedule.view("clean").status("e")["state"] == "CANCELLED"
    assert ran.skipped == {"b": ("not run", "the run was interrupted")}
    assert ran.state == "interrupted"


def test_what_follows_an_exit_scope_does_not_wait_for_the_handler():
    schedule = Schedule(exit_scope(task("a", "e"), task("later", x="a")), {})
    schedule.start()
    changes = schedule.finish(Instance("a"), Outcome("succeeded", {"output": {"native": 1}}))

    assert {change.instance.task for change in changes} == {"clean", "later"}


def test_a_failing_handler_fails_the_run():
    assert Ran(exit_scope(task("a", "e")), failing={"clean"}).state == "failed"


def test_a_group_waits_for_all_that_it_takes_from_outside():
    ran = Ran(
        plan(Group("g"), task("a"), task("free", "g"), task("bound", "g", x="a")), failing={"a"}
    )

    assert ran.order == ["a"]
    assert set(ran.skipped) == {"free", "bound"}


def test_values_leave_a_group():
    ran = Ran(plan(Group("g"), Group("h", "g"), task("a", "h"), task("b", x="a")))

    assert ran.order == ["a", "b"]


def test_an_empty_block_is_done_at_once():
    assert Ran(plan(Group("g"), task("a", after=["g"]))).order == ["a"]


def test_an_interrupt_starts_nothing_more():
    ran = Ran(
        plan(loop(Constant([1, 2, 3]), 1), task("a", "l"), task("b", "l", x="a")), stop_at="a[0]"
    )

    assert ran.order == ["a[0]"]
    assert ran.state == "interrupted"


# --- any plan ---------------------------------------------------------------------------------


@st.composite
def plans(draw):
    """Plans of nested blocks whose tasks take values only from where they can be seen."""
    blocks, tasks = [], []
    scopes = [""]
    counter = iter(range(1000))
    for _ in range(draw(st.integers(0, 6))):
        parent = draw(st.sampled_from(scopes))
        kind = draw(st.sampled_from(["loop", "if", "switch", "group", "exit"]))
        id = f"b{next(counter)}"
        holds = Compare("==", Constant(1), Constant(draw(st.integers(0, 1))))
        if kind == "loop":
            items = Constant(list(range(draw(st.integers(0, 3)))))
            blocks.append(loop(items, draw(st.sampled_from([None, 1, 2])), parent, id))
            scopes.append(id)
        elif kind == "group":
            blocks.append(Group(id, parent))
            scopes.append(id)
        elif kind == "exit":
            handler = f"h{id}"
            blocks.append(ExitScope(id, parent, handler=handler))
            tasks.append(task(handler, parent, status=StatusRef(id)))
            scopes.append(id)
        else:
            blocks += [Switch(id, parent), Branch(f"{id}-yes", id, condition=holds)]
            scopes.append(f"{id}-yes")
            if kind == "switch":
                blocks.append(Branch(f"{id}-no", id))
                scopes.append(f"{id}-no")
    earlier: list[str] = []
    for number in range(draw(st.integers(1, 10))):
        id = f"t{number}"
        after = draw(st.lists(st.sampled_from(earlier), max_size=3)) if earlier else []
        parent = draw(st.sampled_from(scopes))
        tasks.append(task(id, parent, after=after, ignore=draw(st.booleans())))
        earlier.append(id)
    return plan(*blocks, *tasks)


@settings(max_examples=200, deadline=None)
@given(plans(), st.data())
def test_any_plan_comes_to_an_end_in_an_order_that_keeps_every_wait(made, data):
    assume(not cycle(made))
    schedule = Schedule(made, {})
    waits = dependencies(made)
    inside = Scopes(made)
    ready, ended, told = [], [], []

    def take(changes):
        for change in changes:
            if isinstance(change, Ready):
                assert change.instance not in told
                told.append(change.instance)
                ready.append(change.instance)
                for other in waits[change.instance.task]:
                    for running in ready:
                        assert running is change.instance or not _shares(
                            running, change.instance, other, inside
                        )

    take(schedule.start())
    interrupt_at = data.draw(st.one_of(st.none(), st.integers(0, 10)))
    while ready:
        instance = ready.pop(data.draw(st.integers(0, len(ready) - 1)))
        state = data.draw(st.sampled_from(["succeeded"] * 4 + ["failed"]))
        ended.append(instance)
        take(schedule.finish(instance, Outcome(state, {"output": {"native": 1}})))
        if len(ended) == interrupt_at:
            take(schedule.interrupt("the run was interrupted"))

    assert schedule.done
    assert len(set(ended)) == len(ended)


def _shares(running, waiting, source, inside):
    """Whether a running instance belongs to what the waiting one waits for."""
    if source not in (running.task, *inside.around(running.task)):
        return False
    depth = len(inside.loops[source])
    return running.index[:depth] == waiting.index[:depth]
