"""and, or, not; texts that CEL could not hold."""

from kalelite import Else, If, OneOf, pipeline, step


@step
def facts() -> tuple[int, str]:
    return 3, "it's {{x}}"


@step
def number() -> int:
    return 4


@step
def say(word):
    return word


@step
def both(a, b, c):
    return a, b, c


@pipeline
def main(limit: int = 5):
    count, name = facts()
    n = number()
    with If((n > 3) & (n < limit) | (n == 100)):
        yes = say("between")
    with Else():
        no = say("outside")
    with If(~(count == 3)):
        yes2 = say("other")
    with Else():
        no2 = say("three")
    with If(name == "it's {{x}}"):
        yes3 = say("same")
    with Else():
        no3 = say("different")
    return both(OneOf(yes, no), OneOf(yes2, no2), OneOf(yes3, no3))


EXPECTED = ("between", "three", "same")
