"""Constants of any value travel with the code, braces and all."""

from kalelite import pipeline, step


class Box:
    def __init__(self, content):
        self.content = content

    def __eq__(self, other):
        return type(other) is type(self) and other.content == self.content


@step
def keep(*values):
    return values


@step
def same_class(values):
    return isinstance(values[0], Box), values[0] == Box({"k": 1})


@pipeline
def main():
    kept = keep(
        Box({"k": 1}),
        {1, 2},
        b"\0\xff",
        10**400,
        "{{workflow.name}} $(rm) `x` 'q' \"d\"",
        ...,
        float("inf"),
        1 + 2j,
        range(3),
        frozenset({"ü"}),
        "ünï ☃ 日本",
    )
    return same_class(kept), kept[1], kept[2], kept[3], kept[4], kept[6], kept[8], kept[10]


EXPECTED = (
    (True, True),
    {1, 2},
    b"\0\xff",
    10**400,
    "{{workflow.name}} $(rm) `x` 'q' \"d\"",
    float("inf"),
    range(3),
    "ünï ☃ 日本",
)
