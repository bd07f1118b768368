import sys

from kalelite import pipeline, step

from ..rates import times
from . import STARTED


@step
def work(n, by):
    from proj.rates import times as same

    assert times(n, by) == same(n, by)
    return times(n, by)


@pipeline
def flow(n: int = 1):
    return work(n, 2 if "--twice" in sys.argv else 1)


if __name__ == "__main__":
    print("RESULT", STARTED, flow())
