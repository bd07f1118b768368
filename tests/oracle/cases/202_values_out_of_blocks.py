"""Values leave an exit handler, alone, chosen and collected; skipped items of nested loops keep
their place; a call that is a statement returns what cannot be stored.

Right: as the lines say; entry i of a collected list belongs to item i.
"""
# /// case
# ways = ["local", "debug"]
# lines = [
#     "RESULT (4, 5, [None, 3, 4], [(1, None), (2, 3), (3, 4)])",
#     "RESULT [[None, 'a6'], [None, 'b6']]",
#     "RESULT ['a', 'b']",
# ]
# ///
import threading

import kalelite
from kalelite import Collected, Else, ExitHandler, If, OneOf, ParallelFor, pipeline, step


@step
def clean():
    pass


@step
def number(n) -> int:
    return n


@step
def add(n):
    return n + 1


@step
def join(text, n):
    return f"{text}{n}"


@step
def pair(numbers, others):
    return list(zip(numbers, others))


@step
def lock():
    return threading.Lock()


@step
def part(text):
    return {"text": text}


@pipeline
def handled():
    with ExitHandler(clean()):
        n = number(3)
        with If(n > 2):
            left = add(n)
        with Else():
            right = add(0)
        chosen = add(OneOf(left, right))
        with ParallelFor([1, 2, 3]) as i:
            m = number(i)
            with If(m > 1):
                more = add(m)
    lock()
    return add(n), chosen, Collected(more), pair(Collected(m), Collected(more))


@pipeline
def nested():
    with ParallelFor(["a", "b"]) as text:
        with ParallelFor([5, 6]) as j:
            m = number(j)
            with If(m > 5):
                joined = join(text, j)
    return Collected(joined)


@pipeline
def parts():
    with ParallelFor(["a", "b"]) as text:
        part(text)


if __name__ == "__main__":
    print("RESULT", handled())
    print("RESULT", nested())
    parts()
    print("RESULT", [found["text"] for found in kalelite.load("last", "part")])
