"""The top of a script changes what it imports in twenty ways.

Right: a step finds all of it.
"""
# /// case
# needs = ["numpy", "pandas", "polars", "matplotlib", "sklearn", "tqdm"]
# ///
import base, sqlite3, decimal, csv, codecs, copyreg, json, os, sys, random, functools, numbers, shutil, time
import numpy as np, pandas as pd, matplotlib.pyplot as plt, polars as pl
from sklearn import set_config
from base import conf as C, option
from tqdm import tqdm
from kalelite import pipeline, step
import kalelite, logging, warnings
decimal.getcontext().prec = 6
set_config(display="text", enable_metadata_routing=True)
plt.rcParams["lines.linewidth"] = 7
plt.style.use("ggplot")
pl.Config.set_tbl_rows(3)
tqdm.pandas()
base.set_level(5); option("a", 3)
C.configure(rate=.5); C.tags.append("x")
os.environ["SHOP"] = "1"
os.environ["TZ"] = "Asia/Tokyo"
time.tzset()
random.seed(4)
np.random.seed(5)
sys.setrecursionlimit(3000)
@base.register("csv")
def read_csv(): return "csv"
class Mine(base.Plugin): pass
class Point:
    def __init__(s, x): s.x = x
    def __eq__(s, o): return s.x == o.x
sqlite3.register_adapter(Point, lambda p: f"P{p.x}")
csv.register_dialect("pipe", delimiter="|")
codecs.register_error("smile", lambda e: (":)", e.end))
@functools.singledispatch
def size(v): return 0
@size.register
def _(v: str): return len(v)
@size.register
def _(v: list): return -len(v)
numbers.Number.register(Point)
@pl.api.register_dataframe_namespace("mine")
class Ns:
    def __init__(s, df): s.df = df
    def n(s): return s.df.height
def setup():
    json.encoder.FLOAT_REPR = "x"
    logging.getLogger("a.b").setLevel(10)
setup()
@kalelite.setup
def opener():
    os.NEW = 3
@step
def look():
    con = sqlite3.connect(":memory:")
    r = con.execute("select ?", (Point(3),)).fetchone()
    import sklearn
    return (str(decimal.Decimal(1)/3), sklearn.get_config()["display"], plt.rcParams["lines.linewidth"], plt.rcParams["axes.facecolor"],
      str(pl.DataFrame({"a": range(9)})), base.show(), os.environ["SHOP"], random.random(), np.random.rand(), sys.getrecursionlimit(),
      r, csv.get_dialect("pipe").delimiter, "é".encode("ascii", "replace"), "aé".encode("ascii","smile"), size("abc"), size([1]), isinstance(Point(1), numbers.Number),
      pl.DataFrame({"a":[1]}).mine.n(), json.encoder.FLOAT_REPR, logging.getLogger("a.b").level, os.NEW, hasattr(pd.Series, "progress_apply"), time.tzname[0])
@pipeline
def flow(): return look()
if __name__ == "__main__":
    print("RESULT", flow())
