"""A loop over constants, its results in the order of the items."""

from kalelite import Collected, ParallelFor, pipeline, step


@step
def square(x):
    return x * x


@step
def shift(x, by):
    return x + by


@step
def total(xs):
    return xs, sum(xs)


@pipeline
def main(by: int = 100):
    with ParallelFor([3, 1, 2], parallelism=2) as x:
        s = square(x)
        t = shift(s, by)
    return total(Collected(t))


EXPECTED = ([109, 101, 104], 314)
RAN = {"square": 3, "shift": 3, "total": 1}
