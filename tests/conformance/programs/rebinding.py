"""Names are bound again, and one step is called several times."""

from kalelite import pipeline, step


@step
def grow(x, by=1):
    return x + by


@pipeline
def main(start: int = 1):
    x = grow(start)
    x = grow(x, by=10)
    x = grow(by=100, x=x)
    return x


EXPECTED = 112
RAN = {"grow": 1, "grow-2": 1, "grow-3": 1}
