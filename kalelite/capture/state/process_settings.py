"""Settings that libraries keep for the whole process: how each is read, and set elsewhere.

An entry is small: ``read`` gives what differs from the library's default, as a value that can be
pickled, or None; ``write`` takes it in another process, maybe more than once. A package offers
entries of its own under the entry-point group ``kalelite.settings``, whose names are root modules
(``mylib = mylib_kalelite:SETTING``): they are asked for where the script has imported that module.

This module travels with the steps. It imports the standard library only.
"""

from __future__ import annotations

import contextlib
import functools
import json
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from kalelite.capture.state import logging_state
from kalelite.frozen import frozen


@frozen
class ProcessSetting:
    """Settings of a library. Both functions get the module, which is imported already.

    ``name`` tells entries of one module apart.
    """

    module: str
    read: Callable[[Any], Any]
    write: Callable[[Any, Any], object]
    name: str = ""

    @property
    def key(self) -> str:
        """The name of the entry."""
        return self.name or self.module


def _unlike(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any] | None:
    """The values that are not as the defaults; None if there are none."""
    found = {}
    for name, value in values.items():
        default = defaults.get(name)
        try:
            same = value is default or bool(value == default)
        except Exception:
            same = False
        # Written as text, a number that is none is itself.
        if not same and repr(value) != repr(default):
            found[name] = value
    return found or None


def _each(function: Callable[[str, Any], object], values: Mapping[str, Any]) -> None:
    """Set values by name; one that this version does not have, or take, is passed over."""
    for name, value in values.items():
        with warnings.catch_warnings(), contextlib.suppress(Exception):
            warnings.simplefilter("ignore")
            function(name, value)


# --- Python ----------------------------------------------------------------------------------


def _decimal(decimal: Any) -> Any:
    context = decimal.getcontext().copy()
    context.clear_flags()
    usual = decimal.Context(
        prec=28,
        rounding=decimal.ROUND_HALF_EVEN,
        Emin=-999999,
        Emax=999999,
        capitals=1,
        clamp=0,
        flags=[],
        traps=[decimal.InvalidOperation, decimal.DivisionByZero, decimal.Overflow],
    )
    return None if repr(context) == repr(usual) else context


def _filters(module: Any) -> Any:
    usual = {
        ("default", None, "builtins.DeprecationWarning", "__main__", 0),
        *(
            ("ignore", None, f"builtins.{name}", None, 0)
            for name in (
                "DeprecationWarning",
                "PendingDeprecationWarning",
                "ImportWarning",
                "ResourceWarning",
            )
        ),
    }
    if sys.warnoptions:  # of -W and PYTHONWARNINGS: they are the process's, not the script's
        with module.catch_warnings():
            module.resetwarnings()
            module._processoptions(sys.warnoptions)
            usual |= {_named_filter(item) for item in module.filters}
    found = [_named_filter(item) for item in module.filters]
    return None if set(found) == usual or not found else found


def _named_filter(item: Any) -> tuple[Any, ...]:
    """A filter whose category is named, so that nothing is imported to read it."""
    action, message, category, module, line = item
    name = f"{category.__module__}.{category.__qualname__}"
    own = category.__module__ in {"__main__", "__mp_main__"}
    return (action, _pattern(message), category if own else name, _pattern(module), line)


def _pattern(pattern: Any) -> Any:
    return (
        pattern if pattern is None or isinstance(pattern, str) else (pattern.pattern, pattern.flags)
    )


def _set_filters(module: Any, filters: Any) -> None:
    found = []
    for action, message, category, where, line in filters:
        if isinstance(category, str):
            home, _, name = category.rpartition(".")
            category = getattr(sys.modules.get(home), name, None)
        if category is not None:
            found.append((action, _compiled(message), category, _compiled(where), line))
    module.filters[:] = found
    module._filters_mutated() if hasattr(module, "_filters_mutated") else (
        module._filters_mutated_lock_held()
    )


def _compiled(pattern: Any) -> Any:
    import re

    return re.compile(*pattern) if isinstance(pattern, tuple) else pattern


def _locale(locale: Any) -> Any:
    names = ("LC_NUMERIC", "LC_TIME", "LC_COLLATE", "LC_MONETARY")
    found = {name: locale.setlocale(getattr(locale, name)) for name in names}
    return _unlike(found, dict.fromkeys(names, "C"))


def _start_method(module: Any) -> Any:
    return module.get_start_method(allow_none=True)


def _python(_: Any) -> Any:
    socket, csv = sys.modules.get("socket"), sys.modules.get("csv")
    values = {
        "recursion limit": sys.getrecursionlimit(),
        "socket timeout": socket.getdefaulttimeout() if socket else None,
        "csv field": csv.field_size_limit() if csv else 131072,
    }
    return _unlike(values, {"recursion limit": 1000, "socket timeout": None, "csv field": 131072})


def _set_python(_: Any, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if name == "recursion limit":
            sys.setrecursionlimit(value)
        elif name == "socket timeout":
            import socket

            socket.setdefaulttimeout(value)
        else:
            import csv

            csv.field_size_limit(value)


# --- libraries -------------------------------------------------------------------------------

_NUMPY_PRINT = {
    "edgeitems": 3,
    "threshold": 1000,
    "floatmode": "maxprec",
    "precision": 8,
    "suppress": False,
    "linewidth": 75,
    "nanstr": "nan",
    "infstr": "inf",
    "sign": "-",
    "formatter": None,
    "legacy": False,
    "override_repr": None,
}
_NUMPY_ERRORS = {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}


def _numpy(numpy: Any) -> Any:
    printing = _unlike(numpy.get_printoptions(), _NUMPY_PRINT)
    errors = _unlike(numpy.geterr(), _NUMPY_ERRORS)
    found = {"print": printing, "errors": errors, "call": numpy.geterrcall()}
    return {name: value for name, value in found.items() if value is not None} or None


def _set_numpy(numpy: Any, values: Mapping[str, Any]) -> None:
    numpy.set_printoptions(**values.get("print", {}))
    numpy.seterr(**values.get("errors", {}))
    if "call" in values:
        numpy.seterrcall(values["call"])


def _pandas(pandas: Any) -> Any:
    config = sys.modules["pandas._config.config"]
    options = config._registered_options
    values = {}
    for name in options.keys() - config._deprecated_options.keys():
        values[name] = functools.reduce(
            lambda at, key: at[key], name.split("."), config._global_config
        )
    return _unlike(values, {name: option.defval for name, option in options.items()})


def _progress(pandas: Any) -> Any:
    return True if hasattr(pandas.Series, "progress_apply") and "tqdm" in sys.modules else None


def _set_progress(_: Any, __: Any) -> None:
    import tqdm  # type: ignore[import-untyped]

    tqdm.tqdm.pandas()


def _sklearn(sklearn: Any) -> Any:
    return _unlike(sklearn.get_config(), sys.modules["sklearn._config"]._global_config)


def _matplotlib(matplotlib: Any) -> Any:
    values = dict(dict.items(matplotlib.rcParams))
    found = _unlike(values, dict(dict.items(matplotlib.rcParamsDefault))) or {}
    # Of the places to draw to, only those that need no screen are everywhere.
    if str(found.get("backend")).lower() not in {
        "agg",
        "cairo",
        "pdf",
        "pgf",
        "ps",
        "svg",
        "template",
    }:
        found.pop("backend", None)
    return found or None


def _torch(torch: Any) -> Any:
    values = {
        "dtype": torch.get_default_dtype(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "warn": torch.is_deterministic_algorithms_warn_only_enabled(),
        "grad": torch.is_grad_enabled(),
        "matmul": torch.get_float32_matmul_precision(),
        "print": {**vars(sys.modules["torch._tensor_str"].PRINT_OPTS)},
    }
    usual = {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80, "sci_mode": None}
    defaults = {"dtype": torch.float32, "deterministic": False, "warn": False, "grad": True}
    return _unlike(values, {**defaults, "matmul": "highest", "print": usual})


def _set_torch(torch: Any, values: Mapping[str, Any]) -> None:
    torch.set_default_dtype(values.get("dtype", torch.float32))
    if values.get("deterministic"):
        torch.use_deterministic_algorithms(True, warn_only=values.get("warn", False))
    torch.set_grad_enabled(values.get("grad", True))
    torch.set_float32_matmul_precision(values.get("matmul", "highest"))
    vars(sys.modules["torch._tensor_str"].PRINT_OPTS).update(values.get("print", {}))


def _polars(polars: Any) -> Any:
    text = polars.Config.save()
    set_ones = [value for part in json.loads(text).values() for value in part.values()]
    return text if any(value is not None for value in set_ones) else None


SETTINGS: list[ProcessSetting] = [
    ProcessSetting("sys", _python, _set_python),
    ProcessSetting("decimal", _decimal, lambda module, value: module.setcontext(value.copy())),
    ProcessSetting("warnings", _filters, _set_filters),
    ProcessSetting("logging", logging_state.read, logging_state.write),
    ProcessSetting(
        "locale",
        _locale,
        lambda module, values: _each(
            lambda name, value: module.setlocale(getattr(module, name), value), values
        ),
    ),
    ProcessSetting(
        "multiprocessing",
        _start_method,
        lambda module, value: module.set_start_method(value, force=True),
    ),
    ProcessSetting("numpy", _numpy, _set_numpy),
    ProcessSetting("pandas", _pandas, lambda module, values: _each(module.set_option, values)),
    ProcessSetting("pandas", _progress, _set_progress, "tqdm"),
    ProcessSetting("sklearn", _sklearn, lambda module, values: module.set_config(**values)),
    ProcessSetting(
        "matplotlib",
        _matplotlib,
        lambda module, values: _each(module.rcParams.__setitem__, values),
    ),
    ProcessSetting("torch", _torch, _set_torch),
    ProcessSetting("polars", _polars, lambda module, text: module.Config.load(text)),
]

KNOWN = frozenset(setting.module for setting in SETTINGS)
"""The modules whose settings are carried."""


def differing() -> Iterator[tuple[ProcessSetting, Any]]:
    """The settings of what this process has imported that are not the defaults."""
    for setting in (*SETTINGS, *_offered()):
        module = sys.modules.get(setting.module)
        if module is None:
            continue
        value = None
        # A library of another version keeps its settings elsewhere.
        with contextlib.suppress(AttributeError, KeyError):
            value = setting.read(module)
        if value is not None:
            yield setting, value


def write(key: str, value: Any) -> None:
    """Set what `differing` has read in another process."""
    for setting in (*SETTINGS, *_offered()):
        if setting.key == key:
            setting.write(sys.modules[setting.module], value)


_WITHOUT_OFFERS = sys.stdlib_module_names | {
    *KNOWN,
    *("cloudpickle", "kalelite", "markdown_it", "mdurl", "pygments"),
    *("dateutil", "pytz", "rich", "sitecustomize", "six", "xxhash"),
}
"""While no other root module is imported, nobody has to be asked: reading that takes 10 ms."""


@functools.cache
def _points() -> Mapping[str, Any]:
    from importlib.metadata import entry_points

    return {point.name: point for point in entry_points(group="kalelite.settings")}


def _offered() -> Iterator[ProcessSetting]:
    """Entries of other packages, whose modules are imported already."""
    roots = {name.partition(".")[0] for name in sys.modules}
    if all(name.startswith("_") or name in _WITHOUT_OFFERS for name in roots):
        return
    for name, point in _points().items():
        if name in sys.modules:
            yield point.load()
