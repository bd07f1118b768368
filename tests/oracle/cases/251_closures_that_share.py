"""Functions that share variables: as globals of the script, as methods of one object, nested, with
a variable that is not set yet, and two that call each other.

Right: they share them in steps too.
"""
from kalelite import pipeline, step


def account():
    total, log = 0, []

    def put(n):
        nonlocal total
        total += n
        log.append(total)

    def take(n):
        nonlocal total
        put(-n)
        return total

    def late(value=None):
        nonlocal later
        if value is not None:
            later = value
        return later

    if total:
        later = 0
    return put, take, late, lambda: (total, log)


def parity():
    def even(n):
        return n == 0 or odd(n - 1)

    def odd(n):
        return n != 0 and even(n - 1)

    return even, odd


put, take, late, see = account()
put(5)


class Till:
    def __init__(self):
        self.put, self.take, self.late, self.see = account()


@step
def globally():
    put(2)
    late(4)
    return take(1), late(), see()


@step
def make():
    till = Till()
    till.put(3)
    return {"till": till, "more": [till.see, *parity()], "rest": account()}


@step
def use(made):
    till, rest = made["till"], made["rest"]
    till.take(1)
    till.late(7)
    see, even, odd = made["more"]
    first, *_, last = rest
    first(9)
    return till.see(), see(), even(10), odd(10), even.__name__, last(), till.late()


@pipeline
def flow():
    return globally(), use(make())


if __name__ == "__main__":
    print("RESULT", flow())
