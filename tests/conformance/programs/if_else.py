"""Two branches, one taken; the value of whichever ran."""

from kalelite import Else, If, OneOf, pipeline, step


@step
def score(x) -> float:
    return x / 10


@step
def high(s):
    return f"high {s}"


@step
def low(s):
    return f"low {s}"


@step
def tell(words):
    return words.upper()


@pipeline
def main(x: int = 7):
    s = score(x)
    with If(s > 0.5):
        a = high(s)
    with Else():
        b = low(s)
    return tell(OneOf(a, b))


EXPECTED = "HIGH 0.7"
RAN = {"score": 1, "high": 1, "low": 0, "tell": 1}
