"""How long it takes to trace, check and draw large pipelines.

Run ``python benchmarks/plan.py``; prints milliseconds of
processor time, the best of five.
"""

from __future__ import annotations

import time

from kalelite import pipeline, step
from kalelite.authoring.control import Else, If, ParallelFor
from kalelite.picture.svg import to_svg
from kalelite.plan.check import check
from kalelite.plan.order import Scopes, dependencies

TASKS = 10_000


@step
def make(seed: int, rate: float = 0.1) -> float:
    return seed * rate


@step
def add(left: float, right: float = 0.0) -> float:
    return left + right


@pipeline
def wide(seed=1):
    for number in range(TASKS // 2):
        value = make(seed, rate=number)
        add(value)


@pipeline
def chain(seed=1):
    value = make(seed)
    for _ in range(TASKS - 1):
        value = add(value, 1.0)


@pipeline
def blocks():
    for number in range(TASKS // 10):
        value = make(number)
        with If(value > 1.0):
            for _ in range(3):
                value = add(value)
        with Else():
            for _ in range(3):
                make(number)
        with ParallelFor([1.0, 2.0]) as item:
            for _ in range(3):
                add(item)


def best(function) -> float:
    times = []
    for _ in range(5):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return min(times) * 1000


def main() -> None:
    print(f"{TASKS:,} tasks              plan + check    check   order     svg")
    for pipe in (wide, chain, blocks):
        plan = pipe.plan()
        assert len(plan.tasks) == TASKS
        whole = best(pipe.plan)
        checked = best(lambda plan=plan: check(plan))
        ordered = best(lambda plan=plan: (dependencies(plan), Scopes(plan)))
        drawn = best(lambda plan=plan: to_svg(plan))
        print(
            f"  {pipe.name:20s} {whole:10.0f} ms {checked:6.0f} ms {ordered:5.0f} ms {drawn:5.0f} ms"
        )


if __name__ == "__main__":
    main()
