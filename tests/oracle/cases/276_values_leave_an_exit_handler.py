"""Values leave an exit handler: as arguments, into conditions, loops, nested pipelines and what the
pipeline returns; from loops and branches inside it, too.
"""
# /// case
# ways = ["local", "debug", "compiled"]
# lines = ["RESULT (4, [5, 6], 'big', [3, 4], 13, 8)"]
# ///
from kalelite import Collected, Else, ExitHandler, If, OneOf, ParallelFor, pipeline, step


@step
def clean():
    pass


@step
def number(n) -> int:
    return n


@step
def numbers(n) -> list:
    return [n + 1, n + 2]


@step
def add(n, m=1):
    return n + m


@step
def name(text):
    return text


@step
def gather(*values):
    return values


@step
def plain(n):
    return {"n": n}


@pipeline
def inner(n):
    return add(n, 10)


@pipeline
def handled():
    with ExitHandler(clean()):
        n = number(3)
        many = numbers(n)
        whole = plain(7)
        with ParallelFor([1, 2]) as i:
            kept = add(i, 2)
        with If(n == 3):
            left = add(n)
        with Else():
            right = add(0)
        four = OneOf(left, right)
    with ParallelFor(many) as item:
        more = add(item)
    with If(n > 2):
        big = name("big")
    with Else():
        small = name("small")
    with If((n == 3) & (n < 9)):
        seven = add(whole["n"])
    with Else():
        other = add(0)
    return gather(
        four, Collected(more), OneOf(big, small), Collected(kept), inner(n), OneOf(seven, other)
    )


if __name__ == "__main__":
    print("RESULT", handled())
