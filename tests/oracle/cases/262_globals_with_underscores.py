"""Names that begin with two underscores are globals as others are, among them those that attrs
gives the methods that it writes.

Right: the steps find them.
"""
# /// case
# needs = ["attr"]
# ///
import attrs

from kalelite import pipeline, step

__version__ = "1.2"
__author = ["me"]


def __greet(x):
    return f"{x} {__author[0]}"


class Model:
    made_by = __version__

    def version(self):
        return __version__


@attrs.define
class Node:
    name: str = attrs.field(converter=str, validator=attrs.validators.instance_of(str))
    kids: list = attrs.field(factory=list)
    parent: "Node | None" = attrs.field(default=None, repr=False, eq=False)


@attrs.frozen(order=True)
class Point:
    x: int
    y: int = attrs.Factory(lambda self: self.x + 1, takes_self=True)


@step
def make():
    root = Node(3)
    root.kids.append(Node("kid", parent=root))
    return root, Point(1), Model()


@step
def use(root, point, model):
    found = __version__, __greet("hello"), model.version(), model.made_by, globals()["__version__"]
    return found, root, root.kids[0].parent is root, point, point < Point(2)


@pipeline
def flow():
    root, point, model = make()
    return use(root, point, model)


if __name__ == "__main__":
    print("RESULT", flow())
