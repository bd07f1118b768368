"""A script imports plugins of its package, calls a function that fills settings, and changes these.

Right: a step finds the settings as the script has left them, and all plugins.
"""
# /// case
# needs = ["sklearn"]
# ///
import pkg.plugins
import pkg.core
from sklearn.experimental import enable_iterative_imputer
from pkg import settings as st
from pkg.settings import init
import functools, copyreg, time, enum
from dataclasses import dataclass
from kalelite import pipeline, step
init(7)
st.S.level = 3
st.DB |= {"a": 1}
st.conf.xs += [1, 2]
del st.os
@functools.lru_cache
def memo(x): return x
@dataclass
class D:
    xs: list = None
@functools.total_ordering
class T:
    def __init__(s, v): s.v = v
    def __eq__(s, o): return s.v == o.v
    def __lt__(s, o): return s.v < o.v
def pick(t): return T, (t.v + 100,)
copyreg.pickle(T, pick)
@step
def look():
    import sklearn.impute, pickle
    return sorted(pkg.core.HANDLERS), hasattr(sklearn.impute, "IterativeImputer"), st.DEBUG, st.DB, st.S.level, st.S.tags, st.conf, hasattr(st, "os"), memo(3), D(), T(1) <= T(2), pickle.loads(pickle.dumps(T(1))).v
@pipeline
def flow(): return look()
if __name__ == "__main__": print("RESULT", flow())
