"""Two pipelines and no call."""

from kalelite import pipeline, step


@step
def add(a: int, b: int) -> int:
    return a + b


@pipeline
def first(a: int = 1):
    return add(a, 1)


@pipeline(name="second-one")
def second(b: int, factor: float = 2.0):
    return add(b, 2)
