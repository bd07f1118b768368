"""Habits of KFP in a loop, on a part and on a parameter; a method, a lambda and an inner function.

Right: each is told with what to write here, all at once.
"""
# /// case
# exit = 4
# ways = ["local"]
# has = ["Pass `made` itself", "Pass `n` itself", "`@step(cpu=2", "range(4)", "inside a step"]
# lacks = ["Decorate `<lambda>`", "Decorate `flow.inner`"]
# ///
from kalelite import ParallelFor, pipeline, step


@step
def make() -> dict:
    return {"a": 1}


@step
def show(n):
    return n


@pipeline
def flow(n: int = 1):
    def inner(value):
        return value + 1

    made = make()
    show(made.outputs["a"])
    show(n.output)
    show(1).set_memory_limit("1Gi")
    show(2).add_node_selector_constraint("a", "b")
    (lambda value: value * 2)(make())
    inner(make())
    with ParallelFor(4) as item:
        show(item).set_retry(3)
