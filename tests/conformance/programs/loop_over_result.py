"""Items that a step returns come as they were: no number becomes another one."""

from kalelite import Collected, ParallelFor, pipeline, step


@step
def make() -> list:
    return [1, 2.0, "3", None, True, {"k": [1.0]}, 2**60]


@step
def rows() -> list[dict]:
    return [{"n": 1}, {"n": 2}]


@step
def show(item):
    return repr(item)


@step
def number(n):
    return n * 2


@step
def join(a, b):
    return a, b


@pipeline
def main():
    with ParallelFor(make()) as item:
        s = show(item)
    with ParallelFor(rows()) as row:
        n = number(row["n"])
    return join(Collected(s), Collected(n))


EXPECTED = (
    ["1", "2.0", "'3'", "None", "True", "{'k': [1.0]}", "1152921504606846976"],
    [2, 4],
)
