"""Exceptions with notes, attributes and groups are handed on; a warning filter makes an error.

Right: as in plain Python.
"""
import warnings
from kalelite import pipeline, step
warnings.simplefilter("error", DeprecationWarning)
class Base(Exception): pass
class Code(Base):
    def __init__(self, code, msg="m"):
        super().__init__(msg); self.code = code
class Kw(Exception):
    def __init__(self, *, a): self.a = a; super().__init__(f"a={a}")
@step
def make():
    e = Code(4); e.add_note("n")
    try:
        try: 1 / 0
        except ZeroDivisionError as z: raise Kw(a=1) from z
    except Kw as k: kw = k
    return e, kw, ExceptionGroup("g", [ValueError(1), Code(2)]), KeyError("k"), OSError(2, "no", "f"), UnicodeDecodeError("utf8", b"x", 0, 1, "bad"), StopIteration(5)
@step
def use(e, kw, g, k, o, u, s):
    try: warnings.warn("x", DeprecationWarning); w = "no"
    except DeprecationWarning: w = "yes"
    return repr(e), e.code, e.__notes__, kw.a, str(kw), repr(g), g.exceptions[1].code, repr(k), o.filename, o.errno, type(o).__name__, u.reason, s.value, w
@step
def bad(n):
    if n == 1: raise Code(7, "seven")
    raise Kw(a=3)
@pipeline
def flow():
    a, b, c, d, e, f, g = make()
    return use(a, b, c, d, e, f, g)
@pipeline
def fails(n: int):
    return bad(n)
if __name__ == "__main__":
    print("RESULT", flow())
