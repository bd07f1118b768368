"""Parts of a pipeline that run in one pod on Kubeflow: with a branch, a loop, a pipeline in them, in a loop."""

from kalelite import Collected, Else, If, OneOf, ParallelFor, Together, pipeline, step


@step
def double(x: int) -> int:
    return 2 * x


@step
def numbers(count: int) -> list[int]:
    return list(range(count))


@step
def pair(x):
    return (x, x + 1)


@step
def joined(*parts) -> list:
    return list(parts)


@pipeline
def twice(x):
    return double(double(x))


@pipeline
def main(count: int = 3):
    with Together():
        one = double(1)
        two = double(one)
        many = numbers(count)
        with If(two > 3):
            high = pair(two)
        with Else():
            low = pair(one)
        chosen = OneOf(high, low)
        with ParallelFor(many) as item:
            each = double(item)
        nested = twice(10)
        with Together():
            inner = pair(nested)
    with ParallelFor(many) as item, Together():
        looped = double(double(item))
    with If(two == 4):
        taken = joined(two, chosen)
    with Else():
        other = joined(one)
    return joined(one, Collected(each), nested, inner, Collected(looped), OneOf(taken, other))


EXPECTED = [2, [0, 2, 4], 40, (40, 41), [0, 4, 8], [4, (4, 5)]]
