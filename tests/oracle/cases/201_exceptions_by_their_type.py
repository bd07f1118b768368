"""A script catches what steps raise: exceptions of the script with an `__init__` of their own, built
in ones, one of a nested pipeline and of a loop item, by a base class, and with `else` and `finally`.

Right: each `except` clause catches, with the exception's attributes.
"""
# /// case
# ways = ["plain", "local", "debug"]
# exit = "any"
# ///
from kalelite import pipeline, step


class ShopError(Exception):
    pass


class OutOfStock(ShopError):
    def __init__(self, item, *, left, where=None):
        super().__init__(f"{item}: {left} left")
        self.item, self.left, self.where = item, left, where or {}


class NoFile(OSError):
    def __init__(self, name):
        super().__init__(2, "no such file", name)


@step
def order(item):
    raise OutOfStock(item, left=3, where={"shelf": [1]})


@step
def open_it(name):
    raise NoFile(name)


@step
def divide(n):
    return 1 / n


@step
def chained():
    try:
        {}["missing"]
    except KeyError as error:
        raise LookupError("nothing there", 5) from error


@pipeline
def inner(item):
    return order(item)


@pipeline
def outer():
    return inner("pears")


@pipeline
def files():
    return open_it("data.csv")


@pipeline
def numbers():
    return divide(0)


@pipeline
def links():
    return chained()


if __name__ == "__main__":
    try:
        outer()
    except ShopError as error:
        print("RESULT", type(error).__name__, error, error.item, error.left, error.where)
    try:
        files()
    except FileNotFoundError as error:
        print("RESULT subclass?", error)
    except OSError as error:
        print("RESULT", error.errno, error.filename, error)
    try:
        numbers()
    except ArithmeticError as error:
        print("RESULT", error)
    finally:
        print("RESULT finally")
    try:
        links()
    except (KeyError, IndexError):
        print("RESULT wrong")
    except LookupError as error:
        print("RESULT", error.args)
