"""Which tasks may run beside others, and in which order plain Python would run them."""

from kalelite import If, ParallelFor, pipeline, step
from kalelite.backends.local.turns import Turns
from kalelite.engine.transitions import Instance


@step
def make() -> int:
    return 1


@step
def use(*values):
    return values


def turns(body, order="data"):
    return Turns(pipeline(body, order=order).plan())


def test_a_chain_has_none():
    def chain():
        a = make()
        with If(a == 1):
            use(a)
        with ParallelFor([1, 2], parallelism=1) as i:
            use(use(i))

    found = turns(chain, order="calls")
    names = [Instance("make"), Instance("use"), Instance("use-2", (0,)), Instance("use-3", (0,))]
    assert not any(map(found.of, names))


def test_branches_and_items_are_in_call_order():
    def wide():
        make()
        with ParallelFor([1, 2]) as i:
            use(use(i))
        make()

    found = turns(wide)
    order = [
        Instance("make"),
        *(Instance(task, (item,)) for item in (0, 1) for task in ("use", "use-2")),
        Instance("make-2"),
    ]
    assert all(map(found.of, order))
    assert sorted(order, key=found.of) == order
