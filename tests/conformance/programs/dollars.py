"""Two dollars, of which Kubernetes makes one in what goes from pod to pod as an argument."""

from kalelite import Collected, If, ParallelFor, pipeline, step


@step
def pay(amount):
    return amount


@step
def price() -> str:
    return "5$$"


@step
def prices() -> list:
    return ["1$$", {"$$": "$(KFP_POD_NAME)"}]


@step
def all_of(*values):
    return values


@pipeline
def main():
    with ParallelFor(["2$$", "$$(x)"]) as constant:
        first = pay(constant)
    with ParallelFor(prices()) as item:
        second = pay(item)
    with If(price() == "5$$"):
        pay("yes")
    return all_of("3$$", price(), Collected(first), Collected(second))


EXPECTED = ("3$$", "5$$", ["2$$", "$$(x)"], ["1$$", {"$$": "$(KFP_POD_NAME)"}])
RAN = {"pay": 2, "pay-2": 2, "pay-3": 1}
