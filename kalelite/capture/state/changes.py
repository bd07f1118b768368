"""What a script has changed in what it imports, made again in the process of a step.

This module travels with the steps. It imports the standard library only.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import pickle
import sys
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from types import ModuleType
from typing import Any, Protocol

from kalelite.capture.state import setups
from kalelite.capture.state.after_import import AfterImport
from kalelite.capture.state.generators import begin, derive, for_place, kind_of

Change = tuple[Any, ...]
"""A kind, the path of what it changes in its module, and what the kind needs."""


class _Entries(Protocol):
    """What unpickles entries of the captured code."""

    namespaces: dict[str, ModuleType]

    def load(self, entry: Mapping[str, Any]) -> Any: ...

    def blob(self, digest: str) -> bytes: ...


class StepState:
    """The captured state of a script, as the process of one step takes it on.

    ``index`` is what `kalelite.capture.state.taking` has written.
    """

    def __init__(self, index: Mapping[str, Any], reader: _Entries) -> None:
        self._index = index
        self._reader = reader
        self._after = AfterImport()
        self._late: list[Callable[[], None]] = []
        self._begun = False
        if index["settings"]:  # once, also for the processes that are forked from this one
            import kalelite.capture.state.process_settings  # noqa: F401

    def take_on(self) -> None:
        """Set and make again all that the script has; before any of its functions is loaded."""
        self._settings()
        for name in self._index["imports"]:
            with contextlib.suppress(ImportError):  # a step that needs it says so itself
                importlib.import_module(name)
        for entry in self._index["changes"]:
            self._after.add(entry["module"], self._applying(entry))

    def _applying(self, entry: Mapping[str, Any]) -> Callable[[], None]:
        def make() -> None:
            try:
                apply(entry["module"], self._reader.load(entry))
            except ImportError:  # as above
                return
            except AttributeError:
                # It needs what a module holds that is still being imported.
                if self._begun:
                    raise
                self._late.append(make)

        return make

    def _settings(self) -> None:
        if not self._index["settings"]:
            return
        from kalelite.capture.state.process_settings import write

        for entry in self._index["settings"]:

            def set_it(name: str = entry["name"], entry: Mapping[str, Any] = entry) -> None:
                with contextlib.suppress(ImportError):  # of what this image does not have
                    write(name, self._reader.load(entry))

            self._after.add(entry["module"], set_it)

    def begin(self, place: str) -> None:
        """All that has to stand right before the function is called at a place of the plan."""
        self._begun = True
        for make in self._late:
            make()
        self._late.clear()
        # What was imported for the function may have settings of its own.
        self._settings()
        setups.run_missing([self._reader.load(entry) for entry in self._index["setups"]])
        if self._index["generators"]:
            states = pickle.loads(self._reader.blob(self._index["generators"]))
            begin(states, for_place(place, self._index["first"]), self._after)
        own = for_place(place, self._index["first"])
        for space, name in self._index["objects"] if own is not None else ():
            value = vars(self._reader.namespaces[space]).get(name)
            if (kind := kind_of(value)) is not None:
                derive(name, value, kind.read(value), own)


def follow(value: Any, path: Iterable[tuple[str, Any]]) -> Any:
    """What is reached from a value by attributes (".", name) and items ("[", key)."""
    for kind, key in path:
        value = getattr(value, key) if kind == "." else value[key]
    return value


def apply(module: str, change: Change) -> None:
    """Make a change again."""
    kind, path, *rest = change
    if kind == "environ":
        # What the step's own options say stays.
        os.environ.setdefault(*rest)
        return
    target = sys.modules[module]
    if kind == "load":  # which it is by now
        return
    if kind == "call":
        _call(follow(target, path), *rest)
        return
    if kind == "fill":
        _fill(follow(target, path), *rest)
        return
    *above, (last, key) = path
    owner = follow(target, above)
    if kind == "delete":
        with contextlib.suppress(AttributeError, LookupError):
            delattr(owner, key) if last == "." else owner.__delitem__(key)
    elif last == ".":
        setattr(owner, key, *rest)
    else:
        owner[key] = rest[0]


def _call(function: Any, calls: Iterable[tuple[tuple[Any, ...], dict[str, Any]]]) -> None:
    """Call a function, and what it returns, and so on."""
    for args, kwargs in calls:
        function = function(*args, **kwargs)


def _fill(target: Any, content: Any) -> None:
    """Give a mutable object its content, and leave it the object that it is."""
    if isinstance(target, list):
        target[:] = content
    elif isinstance(target, dict | set):
        target.clear()
        target.update(content)
    elif isinstance(target, deque):
        target.clear()
        target.extend(content)
    else:
        vars(target).clear()
        vars(target).update(content)
