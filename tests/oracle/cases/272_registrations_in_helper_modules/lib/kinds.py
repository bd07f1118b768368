import functools, copyreg
class Money:
    rates = {"eur": 1}
    __slots__ = ("n", "unit")
    def __init__(self, n, unit):
        self.n, self.unit = n, unit
    @functools.cache
    def cents(self):
        return self.n * 100
class Temp:
    def __init__(self, c):
        self.c = c
        self.handle = lambda: c
copyreg.pickle(Temp, lambda t: (Temp, (t.c,)))
@functools.singledispatch
def show(x):
    return "other"
@show.register
def _(x: Money):
    return f"{x.n} {x.unit}"
