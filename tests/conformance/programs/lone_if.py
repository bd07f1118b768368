"""A lone If that is not taken is skipped, and nothing else is."""

from kalelite import If, pipeline, step


@step
def number() -> int:
    return 1


@step
def rare():
    return "rare"


@step
def always(n):
    return n + 1


@pipeline
def main():
    n = number()
    with If(n > 5):
        rare()
    with If(n == 1):
        rare()
    return always(n)


EXPECTED = 2
RAN = {"rare": 0, "rare-2": 1, "always": 1}
