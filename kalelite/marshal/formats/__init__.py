"""One short file for each library; this one says which root module wakes which file."""

from __future__ import annotations

from kalelite.marshal.registry import register_lazy

__all__: list[str] = []

# scikit-learn and lightgbm need no file: pickle with its buffers beside it brings their values
# back exactly and without copies, with the help of `_numpy`, `_objects` and `_pyarrow`.
# root module of the value's class, or first word of an encoding -> module of this package
_MODULES = {
    "data": "_data",
    "keras": "_keras",
    "numpy": "_numpy",
    "pandas": "_pandas",
    "pathlib": "_files",
    "PIL": "_pil",
    "pickle": "_pickle",
    "plain": "_plain",
    "polars": "_polars",
    "pyarrow": "_pyarrow",
    "scipy": "_scipy",
    "torch": "_torch",
    "xgboost": "_xgboost",
}

# Built-in classes wake both: plain data is tried first, the pickle formats are `object`'s.
_MODULES["builtins"] = "_builtins"

for _root, _module in _MODULES.items():
    register_lazy(_root, f"{__name__}.{_module}")
