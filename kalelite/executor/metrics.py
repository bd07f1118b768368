"""What a step logs beside its result: numbers, figures, tables, pages, files.

`log_metric` and `log_artifact` may be called from any thread of a step. Outside a run, as when a
step is called as the plain function that it is, they check what they are given and keep nothing.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import time
from _thread import allocate_lock
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from kalelite.errors import UsageError

_NAME = r"[^\w.-]+"
_FILE = r"[^\s<>]+\.[A-Za-z][A-Za-z0-9]{0,7}"


class TaskLog:
    """The metrics and artifacts of one task; artifacts are files beside its ``record``."""

    def __init__(self, record: str) -> None:
        self.record = record
        self.metrics: list[dict[str, Any]] = []
        self.artifacts: dict[str, dict[str, Any]] = {}
        self.lock = allocate_lock()


@contextlib.contextmanager
def recording(log: TaskLog) -> Iterator[None]:
    """Within the block, what is logged goes into this log."""
    _logs.append(log)
    try:
        yield
    finally:
        _logs.pop()


_logs: list[TaskLog] = []
"""The log of the task that runs, last."""


def current_record() -> str:
    """The path of the record of the task that runs here; empty outside of a run."""
    return _logs[-1].record if _logs else ""


def log_metric(name: str, value: float, step: int | None = None) -> None:
    """Record a number with the run, from inside a step; called outside a run it keeps nothing.

    Parameters
    ----------
    name
        What it measures, as ``"accuracy"``. Logging a name again adds to its series.
    value
        A real number; numpy's and torch's scalars are taken as what they hold.
    step
        Where in a series it stands: an epoch, an iteration.

    Raises
    ------
    UsageError
        if the name is empty, the value is no number, or the step is no whole number.
    """
    if not isinstance(name, str) or not name.strip():
        raise UsageError(f"a metric needs a name, not {name!r}")
    number = _number(float, value, f"metric {name!r}")
    exact: float = int(number) if number.is_integer() and isinstance(value, int) else number
    entry: dict[str, Any] = {"name": name, "value": exact, "time": time.time()}
    if not math.isfinite(number):
        entry["value"] = str(number)
    if step is not None:
        entry["step"] = _number(int, step, f"the step of metric {name!r}")
    if _logs:
        with _logs[-1].lock:
            _logs[-1].metrics.append(entry)


def log_artifact(value: Any, name: str) -> None:
    """Keep something to look at: in the run's summary and record, not as input of a step.

    Parameters
    ----------
    value
        A path of a file or folder, which is copied; a matplotlib figure, kept as PNG; a pandas
        or polars table, kept as an HTML table; anything with ``_repr_html_``; or text: HTML if
        it starts with a tag, else Markdown.
    name
        What to call it. Logging a name again replaces what was logged before.

    Raises
    ------
    UsageError
        if there is nothing to keep: the path does not exist, or the type is not known.
    """
    if not isinstance(name, str) or not name.strip():
        raise UsageError(f"an artifact needs a name, not {name!r}")
    kind, suffix, write = _how(value, name)
    log = _logs[-1] if _logs else None
    if log is None or not log.record:
        return
    folder = Path(log.record).parent / "artifacts"
    safe = re.sub(_NAME, "-", name).strip("-.") or "artifact"
    # A name that already has the right ending keeps it once.
    file = safe if suffix and safe.endswith(suffix) else safe + suffix
    with log.lock:
        folder.mkdir(parents=True, exist_ok=True)
        taken = {entry["file"]: key for key, entry in log.artifacts.items() if key != name}
        count = 1
        stem, ending = os.path.splitext(file)  # of a name, not a path
        while file in taken:
            count += 1
            file = f"{stem}-{count}{ending}"
        target = folder / file
        write(target)
        entry = {"name": name, "kind": kind, "file": file, "size": _size(target)}
        log.artifacts[name] = entry


def _how(value: Any, name: str) -> tuple[str, str, Callable[[Path], Any]]:
    """Kind, file suffix and writer for a value."""
    if isinstance(value, os.PathLike) or (isinstance(value, str) and _is_path(value)):
        path = Path(value)
        if not path.exists():
            raise UsageError(f"artifact {name!r}: there is no file {str(path)!r}")
        kind = "folder" if path.is_dir() else _kind_of(path.suffix)
        return kind, path.suffix, lambda target: _copy(path, target)
    if isinstance(value, str):
        html = value.lstrip().startswith("<")
        kind, suffix = ("html", ".html") if html else ("markdown", ".md")
        return kind, suffix, lambda target: target.write_text(value, "utf-8", "backslashreplace")
    if hasattr(value, "savefig"):
        return "image", ".png", lambda target: value.savefig(target, format="png")
    whole = hasattr(value, "to_html") and type(value).__module__.startswith(("pandas.", "polars."))
    text = value.to_html() if whole else _repr_html(value)
    if text:
        return "html", ".html", lambda target: target.write_text(text, "utf-8")
    raise UsageError(
        f"artifact {name!r} is of type {type(value).__name__}, which cannot be shown",
        hint="log a path, a figure, a table, HTML or Markdown text",
    )


def _number(kind: type, value: Any, what: str) -> Any:
    try:
        return kind(value)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        raise UsageError(
            f"{what} is of type {type(value).__name__}, not a number that {kind.__name__} can hold",
            hint="log a single number, or a file with log_artifact",
        ) from None


def _is_path(text: str) -> bool:
    if len(text) > 4096 or "\n" in text or "\0" in text:
        return False
    try:
        # One word with an ending is the name of a file, and worth an error if there is none.
        return re.fullmatch(_FILE, text) is not None or Path(text).exists()
    except OSError:
        return False


def _repr_html(value: Any) -> str:
    make = getattr(value, "_repr_html_", None)
    text = make() if callable(make) else None
    if isinstance(text, str):
        return text
    to_frame = getattr(value, "to_frame", None)
    return _repr_html(to_frame()) if callable(to_frame) else ""


def _kind_of(suffix: str) -> str:
    if suffix.lower() in {".png", ".jpg", ".jpeg", ".svg", ".gif"}:
        return "image"
    return {".html": "html", ".htm": "html", ".md": "markdown"}.get(suffix.lower(), "file")


def _copy(source: Path, target: Path) -> None:
    import shutil

    if source.is_dir():
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target, symlinks=True)
    else:
        shutil.copyfile(source, target)


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(item.stat().st_size for item in path.rglob("*") if item.is_file())
    return path.stat().st_size
