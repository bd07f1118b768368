"""From calls in a pipeline's body to tasks."""

from __future__ import annotations

from kalelite.authoring.decorators import pipeline, step
from kalelite.plan.graph import Constant, OutputRef, Pack, ParameterRef
from kalelite.plan.order import ROOT, Scopes, dependencies


@step
def load(seed=0):
    return [seed, seed + 1], "labels"


@step
def train(x, y=None, *, rate=0.1):
    return x


def test_a_step_outside_a_pipeline_is_the_plain_function():
    assert load(3) == ([3, 4], "labels")
    assert train("x", rate=2) == "x"
    assert train.__name__ == "train"


def test_the_kale_tutorial():
    @step(name="data_loading")
    def load(random_state):
        """Create a random dataset for binary classification."""
        return random_state, random_state

    @step(name="data_split")
    def split(x, y):
        return x, x, y, y

    @step(name="model_training")
    def train(x, x_test, y, training_iterations):
        print(x, x_test, y, training_iterations)

    @pipeline(name="binary-classification", experiment="kale-tutorial")
    def ml_pipeline(rs=42, iters=100):
        """Run the ML pipeline."""
        x, y = load(rs)
        x, x_test, y, y_test = split(x=x, y=y)
        train(x, x_test, y, training_iterations=iters)

    plan = ml_pipeline.plan()
    assert plan.name == "binary-classification"
    assert [task.id for task in plan.tasks] == ["data-loading", "data-split", "model-training"]
    first, second, third = plan.tasks
    assert first.arguments == {"random_state": ParameterRef("rs")}
    assert [(o.name, o.index) for o in first.outputs] == [("x", 0), ("y", 1)]
    assert second.arguments["x"] == OutputRef("data-loading", "x")
    assert third.arguments["x"] == OutputRef("data-split", "x")
    assert third.arguments["training_iterations"] == ParameterRef("iters")
    assert [output.optional for output in third.outputs] == [True]
    assert dependencies(plan)["model-training"] == ("data-split",)
    assert tuple(task.id for task in Scopes(plan).tasks_of(ROOT)) == (
        "data-loading",
        "data-split",
        "model-training",
    )


def test_the_same_step_twice_makes_two_tasks():
    @pipeline
    def twice():
        a = train(1)
        b = train(a)
        return [a, b]

    plan = twice.plan()
    assert [task.id for task in plan.tasks] == ["train", "train-2"]
    assert plan.tasks[1].arguments["x"] == OutputRef("train", "a")
    assert isinstance(plan.result, Pack)


def test_rebinding_a_name_follows_call_order_as_in_python():
    @pipeline
    def rebound():
        x = train(1)
        x = train(2)
        train(x)

    assert rebound.plan().tasks[2].arguments["x"] == OutputRef("train-2", "x")


def test_defaults_that_are_not_given_stay_with_the_function():
    @pipeline
    def short():
        train(1, rate=0.5)

    (task,) = short.plan().tasks
    assert set(task.arguments) == {"x", "rate"}
    assert isinstance(task.arguments["x"], Constant)
