"""A tuple is unpacked, kept whole, and selected from."""

from typing import NamedTuple

from kalelite import pipeline, step


class Split(NamedTuple):
    train: list
    test: list


@step
def load():
    return [1, 2, 3, 4], {"rate": 0.5, "deep": {"k": [7, 8]}}


@step
def split(xs) -> Split:
    return Split(xs[:3], xs[3:])


@step
def whole(pair):
    return type(pair).__name__, len(pair)


@step
def join(train, test, rate, eight, first):
    return [sum(train), test, rate, eight, first]


@pipeline
def main():
    xs, options = load()
    train, test = split(xs)
    pair = load()
    return join(train, test, options["rate"], options["deep"]["k"][1], pair[0]), whole(pair)


EXPECTED = ([6, [4], 0.5, 8, [1, 2, 3, 4]], ("tuple", 2))
RAN = {"load": 1, "load-2": 1}
