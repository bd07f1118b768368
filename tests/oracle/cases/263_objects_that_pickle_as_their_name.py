"""Globals whose own pickle is their name: a NewType, a sentinel.

Right: a step has them, and what is handed on is the same object.
"""
from typing import NewType
from kalelite import pipeline, step
UserId = NewType("UserId", int)
class _Missing:
    def __reduce__(self): return "MISSING"
    def __repr__(self): return "<missing>"
MISSING = _Missing()
class Ref:
    def __init__(self, n): self.n = n
    def __reduce__(self): return Ref, (self.n,)
REF = Ref(3)
@step
def make(): return UserId(4), MISSING, {"m": [MISSING]}, UserId, REF
@step
def use(u, m, d, t, r, k=MISSING): return u, m is MISSING, d["m"][0] is m, k is MISSING, t is UserId, r.n, repr(m)
@pipeline
def flow():
    a, b, c, d, e = make()
    return use(a, b, c, d, e)
if __name__ == "__main__":
    print("RESULT", flow())
