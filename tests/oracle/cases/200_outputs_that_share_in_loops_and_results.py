"""Outputs of one call that share a part: in a loop, collected, by way of a class of the script, in
annotated lists, a whole value beside its parts, and in what the pipeline returns.

Right: what is one object in the value that a step returned is one object where several are taken.
"""
# /// case
# ways = ["local", "debug"]
# lines = [
#     "RESULT [('oak!', True, True), ('elm!', True, True)] ([True, True], False)",
#     "RESULT [1, 2] ([1], {'rows': [1]})",
#     "RESULT [3]",
# ]
# ///
from kalelite import Collected, ParallelFor, pipeline, step


class Tree:
    def __init__(self, name, parent=None):
        self.name, self.parent, self.children = name, parent, []
        if parent is not None:
            parent.children.append(self)


@step
def grow(name):
    root = Tree(name)
    return root, Tree("leaf", root), [root]


@step
def look(root, leaf, all):
    leaf.parent.name += "!"
    return root.name, root.children[0] is leaf, all[0] is root


@step
def look_at_all(roots, leaves):
    return [leaf.parent is root for root, leaf in zip(roots, leaves)], roots[0] is roots[1]


@step
def lists() -> tuple[list, list]:
    rows = [1]
    return rows, rows


@step
def extend(rows, same):
    rows.append(2)
    return same


@step
def pair():
    rows = []
    return rows, {"rows": rows}


@step
def whole_and_part(both, rows):
    rows.append(1)
    return both


@pipeline
def loop():
    with ParallelFor(["oak", "elm"]) as name:
        root, leaf, all = grow(name)
        seen = look(root, leaf, all)
    return Collected(seen), look_at_all(Collected(root), Collected(leaf))


@pipeline
def annotated():
    rows, same = lists()
    return extend(rows, same)


@pipeline
def both():
    result = pair()
    rows, index = result
    return whole_and_part(result, rows)


@pipeline
def returned():
    rows, index = pair()
    return rows, {"index": index}


if __name__ == "__main__":
    print("RESULT", *loop())
    print("RESULT", annotated(), both())
    rows, found = returned()
    rows.append(3)
    print("RESULT", found["index"]["rows"])
