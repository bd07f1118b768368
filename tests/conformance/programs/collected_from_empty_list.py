"""A step collects from a loop over a list that turns out to be empty when it runs."""

from kalelite import Collected, ParallelFor, pipeline, step


@step
def items() -> list[int]:
    return []


@step
def double(x):
    return 2 * x


@step
def total(values):
    return values, sum(values)


@pipeline
def main():
    with ParallelFor(items()) as x:
        y = double(x)
    return total(Collected(y))


EXPECTED = ([], 0)
RAN = {"items": 1, "double": 0, "total": 1}
