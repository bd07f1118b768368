"""One short file for each library; this one lists which root module needs which file."""

from __future__ import annotations

# Root module of a class or first word of an encoding -> module of this package.
# scikit-learn, scipy and lightgbm need no file: pickle with its buffers beside it brings their values
# back exactly and without copies, with the help of `_numpy`, `_objects` and `_pyarrow`.
_FILES = {
    "builtins": "_builtins",
    "keras": "_keras",
    "numpy": "_numpy",
    "pathlib": "_files",
    "PIL": "_pil",
    "pickle": "_pickle",
    "plain": "_json",
    "polars": "_polars",
    "pyarrow": "_pyarrow",
    "torch": "_torch",
    "xgboost": "_xgboost",
}

LIBRARIES = {root: f"{__name__}.{module}" for root, module in _FILES.items()}
"""Root module of a value's class, or first word of an encoding: the module that knows it."""
