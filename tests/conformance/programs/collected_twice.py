"""The same output collected inside the outer loop, and twice outside both loops."""

from kalelite import Collected, ParallelFor, pipeline, step


@step
def times(a: int, b: int):
    return a * b


@step
def total(values):
    return sum(values)


@step
def nested(values):
    return values


@pipeline
def main():
    with ParallelFor([1, 2]) as a:
        with ParallelFor([10, 20]) as b:
            product = times(a, b)
        inner = total(Collected(product))
    everything = nested(Collected(product))
    sums = nested(Collected(inner))
    return everything, nested(Collected(product)), total(Collected(inner)), sums


EXPECTED = ([[10, 20], [20, 40]], [[10, 20], [20, 40]], 90, [30, 60])
RAN = {"times": 4, "total": 2, "nested": 1, "nested-2": 1}
