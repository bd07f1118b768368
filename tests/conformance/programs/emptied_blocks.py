"""Blocks in which a loop over nothing is all there is."""

from kalelite import Collected, Else, ExitHandler, If, OneOf, ParallelFor, pipeline, step


@step
def one() -> int:
    return 1


@step
def never(x):
    return x


@step
def keep(x):
    return x


@step
def goodbye():
    pass


@pipeline
def main():
    number = one()
    with If(number == 1), ParallelFor([]) as a:
        never(a)
    with Else():
        keep(2)
    with ParallelFor([1, 2]), ParallelFor([]) as b:
        nothing = never(b)
    with ParallelFor([]) as c:
        with If(number == 1):
            left = never(c)
        with Else():
            right = never(c)
        never(OneOf(left, right))
    with ExitHandler(goodbye()), ParallelFor([]) as d:
        last = never(d)
    one().after(last)
    return keep(Collected(nothing))


EXPECTED = [[], []]
RAN = {"one": 1, "one-2": 1, "keep": 0, "keep-2": 1, "goodbye": 1, "never": 0}
