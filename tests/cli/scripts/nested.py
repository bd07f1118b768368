"""A pipeline that is a part of another one."""

from kalelite import pipeline, step


@step
def double(x):
    return 2 * x


@pipeline
def inner(x: int = 1):
    return double(x)


@pipeline
def outer(x: int = 5):
    return double(inner(x))
