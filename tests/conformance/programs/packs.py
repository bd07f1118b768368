"""Outputs inside lists, tuples and dicts."""

from kalelite import pipeline, step


@step
def one(n):
    return n


@step
def shape(nested):
    return nested["list"][1], nested["pair"], nested[3], type(nested["pair"]).__name__


@pipeline
def main():
    a, b = one(1), one(2)
    return shape({"list": [a, b], "pair": (b, [a, "c"]), 3: {"deep": [b]}})


EXPECTED = (2, (2, [1, "c"]), {"deep": [2]}, "tuple")
