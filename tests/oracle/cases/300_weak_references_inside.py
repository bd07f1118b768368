"""Values that hold weak references, as the methods of `functools.singledispatchmethod` do."""

import functools
import weakref

from kalelite import pipeline, step


class Show:
    def __init__(self, n):
        self.n = n
        self.seen = weakref.WeakKeyDictionary()
        self.all = weakref.WeakSet()

    @functools.singledispatchmethod
    def show(self, x):
        return f"any {x}"

    @show.register
    def _(self, x: int):
        return f"int {x + self.n}"

    @show.register(list)
    def _(self, x):
        return f"list {len(x)}"


@step
def make():
    one, other = Show(3), Show(4)
    one.seen[other] = "other"
    one.all |= {one, other}
    return [one, other]


@step
def use(both):
    one, other = both
    shown = one.show(1), one.show([2]), one.show("x"), other.show(2)
    return shown, one.seen[other], len(one.all), other in one.all


@pipeline
def main():
    return use(make())


if __name__ == "__main__":
    print("RESULT", main())
