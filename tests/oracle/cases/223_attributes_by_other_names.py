"""Attributes are set on what was imported under other names, in a loop, with setattr.

Right: a step finds all of them.
"""
# /// case
# needs = ["numpy", "pandas"]
# ///
import json as j, math, collections, builtins, csv
import urllib.request as ur
from collections import OrderedDict as OD
import pandas as pd
from pandas import DataFrame as DF
import numpy as np
from kalelite import pipeline, step
def total(self): return int(self.to_numpy().sum())
def double(self): return self * 2
for f in (total, double):
    setattr(DF, f.__name__, f)
pd.Series.top = property(lambda self: self.iloc[0])
math.tau2 = 12.5
builtins.shout = lambda s: s.upper()
j.JSONEncoder.extra = "; "
ur._opts = {"a": 1}
old = np.seterr(all="raise")
np.random.seed(9)
pd.set_option("display.precision", 2)
pd.options.display.float_format = lambda v: f"{v:.1f}!"
with np.errstate(divide="ignore"): pass
try:
    csv.field_size_limit(10**7)
finally:
    pass
@step
def look():
    try: r = np.float64(1) / np.float64(0)
    except FloatingPointError: r = "raised"
    return DF({"a":[1.23456,2]}).double().total(), pd.Series([4]).top, math.tau2, shout("x"), j.JSONEncoder.extra, ur._opts, r, str(pd.DataFrame({"a":[1.23456]})), csv.field_size_limit(), np.random.rand()
@pipeline
def flow(): return look()
if __name__ == "__main__": print("RESULT", flow())
