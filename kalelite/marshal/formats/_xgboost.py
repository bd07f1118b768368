"""xgboost: boosters and estimators pickle themselves exactly; a DMatrix does not pickle at all."""

from __future__ import annotations

import importlib
import tempfile
import warnings
from pathlib import Path
from pickle import PickleBuffer
from typing import Any

from kalelite.marshal.registry import register

xgboost: Any = importlib.import_module("xgboost")  # typed on some machines only


def rebuild_matrix(data: Any, missing: float, nthread: int | None) -> Any:
    """The matrix in xgboost's own binary file, which can only be read under a name."""
    with tempfile.TemporaryDirectory(prefix="kalelite-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # reading files is deprecated for text, not for these
        path = Path(folder, "matrix.buffer")
        path.write_bytes(data)
        return xgboost.DMatrix(str(path), missing=missing, nthread=nthread)


def _reduce_matrix(matrix: Any) -> Any:
    """Labels, weights, groups, bounds and feature names are in the file too."""
    with tempfile.TemporaryDirectory(prefix="kalelite-") as folder:
        path = Path(folder, "matrix.buffer")
        matrix.save_binary(path)
        data = path.read_bytes()
    return rebuild_matrix, (PickleBuffer(data), matrix.missing, matrix.nthread)


register(xgboost.DMatrix, reduce=_reduce_matrix)
