"""Exceptions of all kinds leave a pipeline; the script catches them.

Right: by their class, with their attributes.
"""
# /// case
# ways = ["plain", "local", "debug"]
# exit = "any"
# ///
from kalelite import pipeline, step
class Base(Exception): pass
class Code(Base):
    def __init__(self, code, msg="m"):
        super().__init__(msg); self.code = code
class Kw(Exception):
    def __init__(self, *, a): self.a = a; super().__init__(f"a={a}")
@step
def bad(n):
    if n == 1: raise Code(7, "seven")
    if n == 2: raise Kw(a=3)
    if n == 3: raise ExceptionGroup("g", [Code(1), KeyError("x")])
    if n == 4: assert n == 5, "text"
    if n == 5: return [][1]
    if n == 6: raise StopIteration(3)
    return n
@pipeline
def fails(n: int):
    return bad(n)
if __name__ == "__main__":
    for n in range(1, 8):
        try:
            print("RESULT", n, fails(n))
        except Base as e:
            print("RESULT base", e.code, e)
        except Exception as e:
            print("RESULT", type(e).__name__, e, getattr(e, "a", None))
