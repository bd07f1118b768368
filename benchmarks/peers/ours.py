"""kalelite: chains, fans and loops. Prints milliseconds a step, or megabytes."""

import resource
import sys
import time

from kalelite import ParallelFor, pipeline, step
from kalelite.backends.local.local_settings import LocalSettings
from kalelite.backends.local.pool.prewarm import prewarm
from kalelite.backends.local.run import run_plan


@step
def inc(x: int) -> int:
    return x + 1


@step
def total(values) -> int:
    return sum(values)


@pipeline
def chain():
    x = inc(0)
    for _ in range(int(sys.argv[2]) - 1):
        x = inc(x)
    return x


@pipeline
def fan():
    return total([inc(number) for number in range(int(sys.argv[2]) - 1)])


@pipeline
def loop():
    with ParallelFor(list(range(int(sys.argv[2])))) as item:
        inc(item)


def main():
    what = {"chain": chain, "fan": fan, "loop": loop, "memory": fan}[sys.argv[1]]
    # The start of the fork server is a cost of the process, not of a step.
    prewarm("")
    time.sleep(0.5)
    plan = what.plan()
    begun = time.perf_counter()
    result = run_plan(plan, {}, settings=LocalSettings())
    seconds = time.perf_counter() - begun
    assert result.state == "succeeded", result.failures
    if sys.argv[1] == "memory":
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    else:
        print(seconds / int(sys.argv[2]) * 1000)


if __name__ == "__main__":
    main()
