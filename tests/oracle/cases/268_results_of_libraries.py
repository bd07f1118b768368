"""Values and settings of xarray, scipy, polars, matplotlib and joblib.

Right: as in plain Python.
"""
# /// case
# needs = ["xarray", "scipy", "polars", "matplotlib", "yaml", "joblib"]
# ///
import numpy as np, xarray as xr, scipy.sparse as sp, polars as pl, matplotlib.pyplot as plt, yaml, joblib
from scipy import stats, interpolate
from kalelite import pipeline, step
np.set_printoptions(precision=2, suppress=True)
np.seterr(divide="raise")
plt.rcParams["axes.grid"] = True
pl.Config.set_tbl_rows(3)
@step
def make():
    d = xr.Dataset({"a": (("x", "y"), np.arange(6.0).reshape(2, 3), {"units": "m"})}, coords={"x": [1, 2], "t": ("y", np.array(["2024-01-01"] * 3, "M8[ns]"))}, attrs={"n": 1})
    fig, ax = plt.subplots(); ax.plot([1, 2]); ax.set_title("t"); fig.savefig("f.png"); fig.tight_layout()
    return d, sp.csr_matrix([[0, 1]]), stats.norm(1, 2), interpolate.interp1d([0, 1], [0, 2]), pl.DataFrame({"a": [1, None], "l": [[1], []]}).lazy() if False else pl.DataFrame({"a": [1, None], "l": [[1], []], "c": pl.Series(["a", "b"], dtype=pl.Categorical)}), fig, np.frompyfunc(int, 1, 1) if False else None, np.vectorize(float)
@step
def use(d, s, n, i, f, fig, u, v):
    try: np.float64(1) / 0; e = "no"
    except FloatingPointError: e = "raised"
    return float(d.a.sum()), d.a.attrs, d.attrs, list(d.coords), s.toarray().tolist(), float(n.mean()), float(i(.5)), f.to_dicts(), str(f.schema), fig.axes[0].get_title(), repr(np.array([1.23456])), e, plt.rcParams["axes.grid"], v("1").tolist(), joblib.Parallel(n_jobs=1)(joblib.delayed(abs)(x) for x in [-1])
@pipeline
def flow():
    a, b, c, d, e, f, g, h = make()
    return use(a, b, c, d, e, f, g, h)
if __name__ == "__main__":
    print("RESULT", flow())
