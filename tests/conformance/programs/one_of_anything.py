"""The choices of branches are constants, parts of values, and outputs."""

from kalelite import Else, If, OneOf, pipeline, step


@step
def number() -> int:
    return 1


@step
def make():
    return {"a": [10, 20]}


@step
def show(value):
    return value


@pipeline
def main():
    n = number()
    with If(n == 2):
        one = make()
    with Else():
        two = make()
    return show(OneOf(one["a"], two["a"][1]))


EXPECTED = 20
