"""A loop in a loop gives a list of lists."""

from kalelite import Collected, ParallelFor, pipeline, step


@step
def upto(n) -> list[int]:
    return list(range(n))


@step
def add(x, y):
    return x * 10 + y


@step
def show(rows):
    return rows


@pipeline
def main():
    with ParallelFor([1, 3]) as x:
        ys = upto(x)
        with ParallelFor(ys) as y:
            s = add(x, y)
    return show(Collected(s))


EXPECTED = [[10], [30, 31, 32]]
RAN = {"upto": 2, "add": 4, "show": 1}
