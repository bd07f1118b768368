"""Classes, helpers, closures and globals of the script travel by value."""

from dataclasses import dataclass, field

from kalelite import pipeline, step

FACTOR = 3
CACHE = {"k": [1]}


@dataclass
class Model:
    weights: list
    parent: "Model | None" = None
    seen: set = field(default_factory=set)

    def predict(self, x):
        return helper(x) * len(self.weights)


def helper(x):
    return x * FACTOR + CACHE["k"][0]


def make_step(power):
    @step
    def raised(x):
        return helper(x) ** power

    return raised


raise_two = make_step(2)


@step
def train():
    return Model([1, 2], Model([0]), {1, 2})


@step
def check(model, number):
    return isinstance(model, Model), isinstance(model.parent, Model), model.predict(2), number


@pipeline
def main():
    return check(train(), raise_two(1))


EXPECTED = (True, True, 14, 16)
