"""Items that are dicts, lists, and floats without a fraction."""

from kalelite import Collected, ParallelFor, pipeline, step


@step
def show(a, b):
    return f"{a}{b}"


@step
def kind(item):
    return type(item).__name__, item


@step
def join(words, kinds):
    return words, kinds


@pipeline
def main():
    with ParallelFor([{"a": 1, "b": "x{{y}}"}, {"a": 2.0, "b": None}]) as item:
        s = show(item["a"], item["b"])
    with ParallelFor([1.0, True, [1, 2], 2**60, "1"]) as item:
        k = kind(item)
    return join(Collected(s), Collected(k))


EXPECTED = (
    ["1x{{y}}", "2.0None"],
    [("float", 1.0), ("bool", True), ("list", [1, 2]), ("int", 2**60), ("str", "1")],
)
