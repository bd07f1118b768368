"""Names of the script that stand in texts: in `eval`, `exec`, `globals()`, the script as a module,
formats, templates, queries, frames and other functions' globals, beside what cannot travel.

Right: the steps find them.
"""
# /// case
# needs = ["pandas"]
# ///
import sys, string, threading
from kalelite import pipeline, step
import pandas as pd

LIMIT = 2
COLS = ["a"]
LOCK = threading.Lock()
GEN = (i for i in range(3))
def helper(x): return x + deep(LIMIT)
def deep(x): return x * K
K = 10
class Tool:
    def go(self): return helper(1)
class Bad:
    def __init__(self): self.l = LOCK
BAD = Bad()
def uses_lock():
    with LOCK: return 1
HANDLERS = {"h": "helper", "t": "Tool"}
TEXT = "helper(LIMIT) + K"

@step
def a(): return eval(TEXT), globals()["helper"](3), eval("Tool().go()")
@step
def b():
    ns = sys.modules["__main__"]
    return getattr(ns, "helper")(1)
@step
def c():
    import __main__
    return __main__.Tool().go(), vars(__main__)["K"], hasattr(__main__, "K")
@step
def d():
    ns = {}
    exec("def q(v):\n    return helper(v) + LIMIT\nr = q(1)", globals(), ns)
    return ns["r"]
@step
def e(): return "{LIMIT}-{K}".format(**globals()), f"{eval('K')}", string.Template("$K").substitute(globals())
@step
def f(name): return [eval(f"{n}(1)") if n == "helper" else eval(n).__name__ for n in (name, *HANDLERS.values())]
@step
def g(): return pd.DataFrame({"a": [1,2,3]}).query("a >= @LIMIT and a < @deep(1)")[COLS].values.tolist()
@step
def h():
    import operator, timeit
    return operator.attrgetter("K")(sys.modules[__name__]), timeit.timeit("helper(1)", number=1, globals=globals()) > 0, (lambda: globals()["K"])()
@step
def i():
    def inner(n): return sys._getframe().f_globals[n]
    return inner("LIMIT"), helper.__globals__["K"], __import__("__main__").LIMIT
@pipeline
def flow(): return a(), b(), c(), d(), e(), f("helper"), g(), h(), i()
if __name__ == "__main__":
    for r in flow(): print("RESULT", r)
