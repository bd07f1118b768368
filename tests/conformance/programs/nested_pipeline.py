"""A pipeline called twice inside another one."""
# A comparison that the pipeline makes, not Python.

from kalelite import Collected, If, ParallelFor, pipeline, step


@step
def grow(x, by):
    return x + by


@step
def big(x) -> bool:
    return x > 10


@step
def note(journal, word):
    with open(f"{journal}/journal.txt", "a") as file:
        file.write(f"{word}\n")


@step
def join(a, b, c):
    return a, b, c


@pipeline
def twice(x, by=1):
    first = grow(x, by)
    return grow(first, by), big(first)


@pipeline
def main(journal: str = "", start: int = 5):
    a, _ = twice(start)
    b, is_big = twice(a, by=10)
    with If(is_big == True):
        note(journal, "big")
    with ParallelFor([1, 2]) as i:
        c, _ = twice(i, by=i)
    return join(a, b, Collected(c))


EXPECTED = (7, 27, [3, 6])
JOURNAL = ["big"]
