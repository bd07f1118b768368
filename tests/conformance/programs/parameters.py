"""Pipeline parameters of every primitive type, with values that are not the defaults."""

from kalelite import pipeline, step


@step
def show(*values, **named):
    return [(type(value).__name__, value) for value in values], named


@pipeline
def main(
    i: int = 1, f: float = 2.5, s: str = "x", b: bool = False, xs: list = [1], d: dict = {}, plain=3
):
    return show(i, f, s, b, xs, d, plain, d["k"], named=xs[0])


ARGUMENTS = {
    "i": -7,
    "f": 4.0,
    "s": 'it\'s "quoted" \\ ünï ☃\nnew line',
    "b": True,
    "xs": ["a", 2, None, True],
    "d": {"k": [1, {"z": "q"}]},
    "plain": 9,
}
EXPECTED = (
    [
        ("int", -7),
        ("float", 4.0),
        ("str", 'it\'s "quoted" \\ ünï ☃\nnew line'),
        ("bool", True),
        ("list", ["a", 2, None, True]),
        ("dict", {"k": [1, {"z": "q"}]}),
        ("int", 9),
        ("list", [1, {"z": "q"}]),
    ],
    {"named": "a"},
)
