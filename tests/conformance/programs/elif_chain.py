"""Four branches, by text, number and truth; the third is taken."""
# A comparison that the pipeline makes, not Python.

from kalelite import Elif, Else, If, OneOf, pipeline, step


@step
def kind() -> str:
    return "b"


@step
def flag() -> bool:
    return True


@step
def say(word):
    return word


@pipeline
def main(n: int = 3):
    k, f = kind(), flag()
    with If(k == "a"):
        one = say("one")
    with Elif(n < 3):
        two = say("two")
    with Elif(f == True):
        three = say("three")
    with Else():
        four = say("four")
    return say(OneOf(one, two, three, four))


EXPECTED = "three"
RAN = {"say": 0, "say-2": 0, "say-3": 1, "say-4": 0, "say-5": 1}
