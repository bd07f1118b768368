"""Levels, handlers and filters of loggers, as plain data and back.

A handler that writes to standard output or error does so in the step's process; one that writes to
a file appends to it there. What collects records in memory stays where it is.

This module travels with the steps. It imports the standard library only.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from typing import Any

_OWN = ("lock", "stream", "_closed")


def read(logging: Any) -> Any:
    """What differs from a fresh process; None if nothing does."""
    manager = logging.root.manager
    found: dict[str, Any] = {}
    for name, logger in [("", logging.root), *sorted(manager.loggerDict.items())]:
        if isinstance(logger, logging.Logger) and not name.startswith("kalelite"):
            state = _logger(logging, logger)
            usual = logging.WARNING if not name else logging.NOTSET
            if state != {"level": usual, "propagate": True, "disabled": False}:
                found[name] = state
    values = {
        "loggers": found,
        "disable": manager.disable,
        "capture": getattr(logging, "_warnings_showwarning", None) is not None,
    }
    return values if any(values.values()) else None


def _logger(logging: Any, logger: Any) -> dict[str, Any]:
    state = {"level": logger.level, "propagate": logger.propagate, "disabled": logger.disabled}
    foreign = [handler for handler in logger.handlers if not _is_of(logger, handler)]
    handlers = [state for handler in foreign for state in _handler(logging, handler)]
    if handlers:
        state["handlers"] = handlers
    filters = [item for item in logger.filters if not _is_of(logger, item)]
    if filters:
        state["filters"] = filters
    return state


def _is_of(logger: Any, item: Any) -> bool:
    """Whether a library has given its own logger a handler or filter: it does so anywhere."""
    root = logger.name.partition(".")[0]
    parts = (item, getattr(item, "formatter", None), *getattr(item, "filters", ()))
    return any(type(part).__module__.partition(".")[0] == root for part in parts)


def _handler(logging: Any, handler: Any) -> Iterator[tuple[type, dict[str, Any], str]]:
    """The class, the attributes and the stream of a handler, if it can be made again."""
    stream = getattr(handler, "stream", None)
    is_file = isinstance(handler, logging.FileHandler)
    nowhere = getattr(handler, "baseFilename", None) == os.devnull
    if nowhere or isinstance(handler, logging.NullHandler) or isinstance(stream, io.StringIO):
        return
    place = "file" if is_file else "stderr" if stream in {sys.stderr, sys.__stderr__} else "stdout"
    known = {sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__, None}
    if not is_file and hasattr(handler, "stream") and stream not in known:
        return
    attributes = {name: value for name, value in vars(handler).items() if name not in _OWN}
    if is_file:
        attributes["mode"] = "a"
        _append(stream)
    yield type(handler), attributes, place if hasattr(handler, "stream") else ""


def _append(stream: Any) -> None:
    """Let this process write to the end of its file, too, wherever that will be."""
    if stream is None:
        return
    import fcntl

    stream.flush()
    flags = fcntl.fcntl(stream.fileno(), fcntl.F_GETFL)
    fcntl.fcntl(stream.fileno(), fcntl.F_SETFL, flags | os.O_APPEND)


def write(logging: Any, values: Any) -> None:
    """Set what `read` has found."""
    for name, state in values["loggers"].items():
        logger = logging.getLogger(name or None)
        logger.setLevel(state["level"])
        logger.propagate, logger.disabled = state["propagate"], state["disabled"]
        if "handlers" in state or not name:
            logger.handlers[:] = [_made(logging, *each) for each in state.get("handlers", ())]
        if "filters" in state:
            logger.filters[:] = state["filters"]
    logging.disable(values["disable"])
    if values["capture"]:
        logging.captureWarnings(capture=True)


def _made(logging: Any, cls: Any, attributes: dict[str, Any], place: str) -> Any:
    handler = cls.__new__(cls)
    vars(handler).update(attributes)
    if place:
        handler.stream = {"stdout": sys.stdout, "stderr": sys.stderr}.get(place)
    if place == "file":
        handler._closed = False
    handler.createLock()
    logging._addHandlerRef(handler)
    return handler
