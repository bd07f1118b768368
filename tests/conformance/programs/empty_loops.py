"""Loops over nothing: known when compiled, and only when run."""

from kalelite import Collected, ParallelFor, pipeline, step


@step
def nothing() -> list[int]:
    return []


@step
def never(x):
    return x


@step
def join(a, b):
    return a, b


@pipeline
def main():
    with ParallelFor([]) as x:
        a = never(x)
    with ParallelFor(nothing()) as y:
        b = never(y)
    return join(Collected(a), Collected(b))


EXPECTED = ([], [])
RAN = {"never": 0, "never-2": 0, "join": 1}
