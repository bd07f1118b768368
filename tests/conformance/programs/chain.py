"""Values go from step to step."""

from kalelite import pipeline, step


@step
def first(n):
    return list(range(n))


@step
def second(xs, factor=2):
    return [x * factor for x in xs]


@step
def third(xs):
    return sum(xs)


@pipeline
def main(n: int = 4):
    return third(second(first(n)))


EXPECTED = 12
RAN = {"first": 1, "second": 1, "third": 1}
