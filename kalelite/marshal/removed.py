"""What a step removes while it runs: a path to it that is returned is a mistake, and no name."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

_removed: set[str] = set()


def was_removed(path: Path) -> bool:
    """Whether a path leads to what was removed or renamed within `noting_removals`."""
    place = Path(os.path.abspath(path))
    return not _removed.isdisjoint(map(str, (place, *place.parents)))


@functools.cache
def _noting(call: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(call)
    def noting(*args: Any, **kwargs: Any) -> None:
        call(*args, **kwargs)
        path: str = args[0] if args else kwargs["src" if "src" in kwargs else "path"]
        if kwargs.get("dir_fd") is None and kwargs.get("src_dir_fd") is None:
            _removed.add(os.path.abspath(os.fsdecode(path)))

    return noting


@contextlib.contextmanager
def noting_removals() -> Iterator[None]:
    """Note what is removed by Python's own functions, all of which use these of `os`."""
    _removed.clear()
    calls = {name: getattr(os, name) for name in ("remove", "unlink", "rmdir", "rename", "replace")}
    noting = {name: _noting(call) for name, call in calls.items()}
    closer = getattr(sys.modules.get("tempfile"), "_TemporaryFileCloser", None)
    vars(os).update(noting)
    os.supports_dir_fd.update(noting.values())  # which decides how `shutil` removes a folder
    _let_close(closer, noting["unlink"])
    try:
        yield
    finally:
        vars(os).update(calls)
        os.supports_dir_fd.difference_update(noting.values())
        _let_close(closer, calls["unlink"])


def _let_close(closer: Any, unlink: Callable[..., None]) -> None:
    """Let temporary files be removed by that function; theirs was chosen when it was defined."""
    for name in ("close", "cleanup"):
        function = getattr(closer, name, None)
        if function is not None and function.__defaults__:
            defaults = function.__defaults__
            function.__defaults__ = tuple(unlink if callable(d) else d for d in defaults)
