"""Values as files that other tools open: by the suffix, where the value's own library writes it."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import shutil
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from kalelite.errors import UsageError

Writer = Callable[[Any, str], object]
"""Writes a value to a path that ends in the suffix; what it raises is told."""


def _text(value: Any, path: str) -> None:
    Path(path).write_text(str(value), encoding="utf-8")


def _octets(value: Any, path: str) -> None:
    Path(path).write_bytes(value)


def _json(value: Any, path: str) -> None:
    _text(json.dumps(value, indent=1, ensure_ascii=False, default=_plain) + "\n", path)


def _plain(value: Any) -> Any:
    """What JSON has for an array or number of numpy, or a date."""
    for name in ("tolist", "isoformat"):
        if callable(method := getattr(value, name, None)):
            return method()
    raise TypeError(f"a {type(value).__name__} is nothing that JSON has")


def _pickle(value: Any, path: str) -> None:
    """By plain pickle, and by cloudpickle where its class is not one that can be imported."""
    import cloudpickle  # type: ignore[import-untyped, unused-ignore]

    try:
        data = pickle.dumps(value, protocol=5)
    except Exception:
        data = cloudpickle.dumps(value, protocol=5)
    _octets(data, path)


def _joblib(value: Any, path: str) -> None:
    import joblib  # type: ignore[import-untyped, unused-ignore]

    joblib.dump(value, path)


def _npy(value: Any, path: str) -> None:
    import numpy as np

    np.save(path, value, allow_pickle=False)


def _array_csv(value: Any, path: str) -> None:
    import numpy as np

    if np.ma.isMaskedArray(value):
        raise TypeError("the mask would be lost")
    array = np.atleast_1d(value)
    form = "%.18g" if array.dtype.kind == "f" else "%s"
    np.savetxt(path, array, delimiter=",", fmt=form)


def _frame_csv(value: Any, path: str) -> None:
    value.to_csv(path, index=_has_index(value))


def _has_index(value: Any) -> bool:
    """Whether the index says more than the number of the row."""
    index = value.index
    return type(index).__name__ != "RangeIndex" or index.start != 0 or index.step != 1


def _frame_json(value: Any, path: str) -> None:
    frame = value.to_frame(value.name or 0) if type(value).__name__ == "Series" else value
    frame = frame.reset_index() if _has_index(frame) else frame
    frame.to_json(
        path, orient="records", indent=1, date_format="iso", date_unit="ns", double_precision=15
    )


def _series_parquet(value: Any, path: str) -> None:
    value.to_frame(str(value.name or 0)).to_parquet(path)


def _figure(value: Any, path: str) -> None:
    value.savefig(path, bbox_inches="tight")


def _table_csv(value: Any, path: str) -> None:
    from pyarrow import csv  # type: ignore[import-untyped, unused-ignore]

    csv.write_csv(value, path)


def _table_parquet(value: Any, path: str) -> None:
    from pyarrow import parquet  # type: ignore[import-untyped, unused-ignore]

    parquet.write_table(value, path)


def _torch(value: Any, path: str) -> None:
    import torch  # type: ignore[import-not-found, unused-ignore]

    torch.save(value, path)


def _method(name: str, **more: Any) -> Writer:
    return lambda value, path: getattr(value, name)(path, **more)


_SCALAR = {".json": _json, ".txt": _text}
_ARRAY = {
    ".npy": _npy,
    ".csv": _array_csv,
    ".json": lambda value, path: _json(value.tolist(), path),
}
_SAVED = {suffix: _method("save") for suffix in (".png", ".jpg", ".jpeg", ".webp", ".gif", ".tiff")}
_XGBOOST = {".json": _method("save_model"), ".ubj": _method("save_model")}

_BY_CLASS: Mapping[str, Mapping[str, Writer]] = {
    "builtins.str": dict.fromkeys((".txt", ".md", ".html", ".svg"), _text) | {".json": _json},
    "builtins.bytes": {".bin": _octets},
    **dict.fromkeys(("builtins.bool", "builtins.int", "builtins.float"), _SCALAR),
    "builtins.dict": {".json": _json},
    "builtins.list": {".json": _json},
    "builtins.tuple": {".json": _json},
    "builtins.NoneType": {".json": _json},
    "numpy.ndarray": _ARRAY,
    "numpy.generic": _SCALAR | _ARRAY,
    "pandas.DataFrame": {
        ".csv": _frame_csv,
        ".parquet": _method("to_parquet"),
        ".json": _frame_json,
    },
    "pandas.Series": {".csv": _frame_csv, ".parquet": _series_parquet, ".json": _frame_json},
    "polars.DataFrame": {
        ".csv": _method("write_csv"),
        ".parquet": _method("write_parquet"),
        ".json": _method("write_json"),
    },
    "pyarrow.Table": {".csv": _table_csv, ".parquet": _table_parquet},
    "matplotlib.Figure": dict.fromkeys((".png", ".svg", ".pdf", ".jpg"), _figure),
    "plotly.BaseFigure": {".html": _method("write_html"), ".json": _method("write_json")},
    "PIL.Image": _SAVED,
    "sklearn.BaseEstimator": {".joblib": _joblib},
    "torch.Tensor": {".pt": _torch},
    "torch.Module": {".pt": _torch},
    "xgboost.Booster": _XGBOOST,
    "xgboost.XGBModel": _XGBOOST,
    "lightgbm.Booster": {".txt": _method("save_model")},
    "catboost.CatBoost": {".cbm": _method("save_model")},
    "keras.Model": {".keras": _method("save")},
}
"""By the root module of a class and its name, the suffixes, the usual one first."""

_ANY: Mapping[str, Writer] = {".joblib": _joblib, ".pkl": _pickle, ".pickle": _pickle}


def writers_of(value: Any) -> dict[str, Writer]:
    """What a value can be written as, by suffix, the usual one first."""
    found: dict[str, Writer] = {}
    for kind in type(value).__mro__:
        name = f"{kind.__module__.partition('.')[0]}.{kind.__name__}"
        found = {**found, **{s: w for s, w in _BY_CLASS.get(name, {}).items() if s not in found}}
    return {**(found or {".pkl": _pickle}), **{s: w for s, w in _ANY.items() if s not in found}}


def write_in(
    folder: Path, value: Any, *, name: str, taken: Collection[Path], overwrite: bool = False
) -> Path:
    """Write a value into a folder, as `write_value` does; where it is.

    A file has its own name there, after that of its output where it is ``taken``. Other values are in
    their usual format, or pickled where that cannot hold them.
    """
    stem = name.removesuffix(".output")
    if isinstance(value, Path):
        place = folder / value.name
        place = folder / f"{stem}.{value.name}" if place in taken else place
        write_value(value, place, name=name, overwrite=overwrite)
        return place
    for suffix in dict.fromkeys((_usual(value), ".pkl")):
        place = folder / f"{stem}{suffix}"
        refuse_existing(place, overwrite=overwrite)
        try:
            write_value(value, place, name=name, overwrite=overwrite)
            break
        except UsageError:
            if suffix == ".pkl":
                raise
    return place


def _usual(value: Any) -> str:
    """The suffix of a value where none was asked for."""
    suffix = next(iter(writers_of(value)))
    if suffix == ".json" and isinstance(value, (dict, list, tuple)):
        try:
            json.dumps(value)
        except (TypeError, ValueError):  # what is in it would change its type
            return ".pkl"
    return suffix


def write_value(value: Any, target: Path, *, name: str, overwrite: bool = False) -> None:
    """Write a value to a file, at one stroke; a file or folder is copied as it is.

    Raises
    ------
    UsageError
        if something is there, the value cannot be written so, or the disk refuses it.
    """
    writer = (
        _copier(value, target, name) if isinstance(value, Path) else _writer(value, target, name)
    )
    refuse_existing(target, overwrite=overwrite)
    part = target.with_name(f".{target.stem}.{os.getpid()}.part{target.suffix}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _write(writer, value, part, f"{name} cannot be written as {target.suffix or 'a file'}")
        _put(part, target)
    except OSError as error:
        raise UsageError(f"{target} cannot be written: {error.strerror or error}") from error
    finally:
        _remove(part)


def refuse_existing(target: Path, *, overwrite: bool) -> None:
    """Raise `UsageError` if something is in the way."""
    if os.path.lexists(target) and not overwrite:
        raise UsageError(f"{target} is there already", hint="-f writes over it.")


def _write(writer: Writer, value: Any, part: Path, title: str) -> None:
    try:
        writer(value, str(part))
    except OSError:
        raise
    except ImportError as error:
        raise UsageError(
            f"{title}: {error}", hint="Install it, or choose another suffix."
        ) from None
    except Exception as error:
        shown = ", ".join(suffix for suffix in writers_of(value) if suffix != part.suffix)
        raise UsageError(f"{title}: {error}", hint=f"It can be tried as {shown}.") from error


def _writer(value: Any, target: Path, name: str) -> Writer:
    known, suffix = writers_of(value), target.suffix.lower()
    if suffix not in known:
        kind = type(value)
        library = kind.__module__.partition(".")[0]
        shown = (
            kind.__name__ if library in {"builtins", "__main__"} else f"{library} {kind.__name__}"
        )
        title = (
            f"{name} is a {shown}, which is not written as {suffix or 'a file without a suffix'}"
        )
        if isinstance(value, (list, tuple)):
            title = (
                f"{name} is a {shown} of {len(value)}, which is not written as {suffix or 'that'}"
            )
        raise UsageError(title, hint=f"It can be written as {', '.join(known)}.")
    return known[suffix]


def _copier(value: Path, target: Path, name: str) -> Writer:
    if value.is_dir():
        return lambda source, path: shutil.copytree(source, path, symlinks=True)
    if target.suffix != value.suffix and value.suffix:
        raise UsageError(
            f"{name} is the file {value.name}, which is written as it is",
            hint=f"Let the name end in {value.suffix}.",
        )
    return shutil.copy2


def _put(part: Path, target: Path) -> None:
    """Let what was written take the place of what is there."""
    if not (target.is_dir() or part.is_dir()) or not os.path.lexists(target):
        part.replace(target)
        return
    old = part.with_name(f"{part.name}.old")
    target.rename(old)
    part.rename(target)
    _remove(old)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()
