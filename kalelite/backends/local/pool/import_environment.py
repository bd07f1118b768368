"""What an interpreter has once it runs: its flags, and variables that are read at import only."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterator, Mapping

_NAMES = re.compile(
    r"(PYTHON|LD_|DYLD_|OMP_|KMP_|GOMP_|MKL_|OPENBLAS_|BLIS_|VECLIB_|NUMEXPR_|TORCH|PYTORCH|TF_"
    r"|XLA_|JAX_|KERAS_|MALLOC_|POLARS_|RAYON_|ARROW_|HF_|MPL|LC_|LANG)|.*_NUM_THREADS$"
)

_PATH = list(sys.path)
"""Where Python's own modules are found first, before a script's folder is searched, too."""


@contextlib.contextmanager
def own_path() -> Iterator[None]:
    """Within the block nothing is imported that only stands beside the script."""
    path, sys.path[:] = list(sys.path), _PATH
    try:
        yield
    finally:
        sys.path[:] = path


def interpreter_flags() -> list[str]:
    """The flags that this interpreter was started with, for another one."""
    with own_path():
        import subprocess  # not above: most runs need none of it
    flags: list[str] = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]  # as multiprocessing does
    return flags


def read_at_import(name: str) -> bool:
    """Whether setting the variable later may have no effect."""
    return _NAMES.match(name) is not None


def stale(before: Mapping[str, str], now: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    """Whether modules were imported under variables other than those that are wanted.

    ``before`` and ``now`` are the environment before and after the imports, which may have
    changed it themselves.
    """
    return any(
        wanted.get(name) not in (before.get(name), now.get(name))
        for name in {*before, *wanted}
        if read_at_import(name)
    )
