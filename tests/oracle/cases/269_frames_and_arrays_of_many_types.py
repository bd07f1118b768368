"""Extension types, attrs and categories of pandas, structured and masked arrays, tables.

Right: types and metadata arrive.
"""
# /// case
# needs = ["pandas", "pyarrow"]
# ///
import numpy as np, pandas as pd, pyarrow as pa
from kalelite import pipeline, step
@step
def make():
    f = pd.DataFrame({"c": pd.Categorical(["a", "b", "a"], categories=["b", "a", "z"], ordered=True), "i": pd.array([1, None, 3], dtype="Int64"), "s": pd.array(["x", None, "y"], dtype="string"), "d": pd.period_range("2024-01", periods=3, freq="M"), "iv": pd.interval_range(0, 3), "b": pd.array([True, None, False], dtype="boolean"), "sp": pd.arrays.SparseArray([0, 0, 1])})
    f.attrs["source"] = {"who": [1]}
    f.index = pd.MultiIndex.from_tuples([(1, "a"), (1, "b"), (2, "a")], names=["n", "l"])
    s = np.zeros(3, dtype=[("a", "i4"), ("b", [("c", "f8"), ("d", "U2")])]); s["b"]["d"] = "zz"
    r = s.view(np.recarray)
    m = np.ma.masked_where(np.arange(20000) % 2 == 0, np.arange(20000)); m.fill_value = -1
    t = pa.table({"x": pa.array([1, None], pa.int8()), "y": pa.array([{"k": [1]}, None]), "z": pa.array(["a", "b"]).dictionary_encode()}).replace_schema_metadata({"a": "b"})
    big = pd.concat([f.reset_index(drop=True)] * 5000, ignore_index=True); big.attrs["n"] = 1
    return f, s, r, m, t, big
@step
def use(f, s, r, m, t, big):
    return (f.dtypes.astype(str).tolist(), f.attrs, f.index.names, f["c"].cat.categories.tolist(), f["c"].cat.ordered, s.dtype, s.tolist(), type(r).__name__, r.b.d.tolist(), m.fill_value, int(m.sum()), m[:3].tolist(), t.schema.metadata, str(t.schema).replace("\n", ","), t.to_pylist(), big.attrs, big.dtypes.astype(str).tolist(), len(big))
@pipeline
def flow():
    a, b, c, d, e, g = make()
    return use(a, b, c, d, e, g)
if __name__ == "__main__":
    print("RESULT", flow())
