"""What is captured by name: the namespaces whose functions and classes travel by value.

A namespace is the globals of a module that cannot be imported elsewhere: ``__main__`` of a script
or notebook, or a module made by hand. Its functions and classes are known by identity, so that
wherever one of them turns up it is referred to by name and exists once in a step's process.
"""

from __future__ import annotations

import sys
from types import FunctionType
from typing import Any

from kalelite.capture.bytecode import is_class
from kalelite.capture.edited_modules import is_edited
from kalelite.capture.load import Name
from kalelite.capture.local_modules import is_made_by_hand
from kalelite.capture.rebuild import plain
from kalelite.frozen import frozen

_MAIN = frozenset({"__main__", "__mp_main__"})


@frozen
class Space:
    """A namespace: ``key`` names it in the capture, ``name`` is its module's name."""

    key: str
    name: str
    values: dict[str, Any]


def _travels_by_value(name: str) -> bool:
    if name in _MAIN or name not in sys.modules:
        return True
    return is_made_by_hand(name) or is_edited(name)


def importable(value: Any) -> Name | None:
    """Module and qualified name under which a function or class can be imported elsewhere."""
    module_name = getattr(value, "__module__", None)
    qualname = getattr(value, "__qualname__", None)
    if not isinstance(module_name, str) or not isinstance(qualname, str):
        return None
    module = sys.modules.get(module_name)
    if module is None or "<" in qualname or _travels_by_value(module_name):
        return None
    found: Any = module
    for part in qualname.split("."):
        found = getattr(found, part, None)
    return (module_name, qualname) if found is value or plain(found) is value else None


class World:
    """The namespaces of one capture."""

    def __init__(self) -> None:
        self.spaces: dict[str, Space] = {}
        self._by_dict: dict[int, Space] = {}
        self._paths: dict[int, Name] = {}
        # An id names an object only as long as the object lives.
        self._alive: list[Any] = []

    def space(self, values: dict[str, Any]) -> Space | None:
        """The namespace with these globals; None if they belong to an importable module."""
        known = self._by_dict.get(id(values))
        if known is not None:
            return known
        name = values.get("__name__")
        name = name if isinstance(name, str) else "__main__"
        module = sys.modules.get(name)
        if module is not None and module.__dict__ is values and not _travels_by_value(name):
            return None
        return self._add(name, values)

    def _add(self, name: str, values: dict[str, Any]) -> Space:
        key, count = name, 1
        while key in self.spaces:
            count += 1
            key = f"{name}#{count}"
        space = Space(key, name, values)
        self.spaces[key] = space
        self._by_dict[id(values)] = space
        for attribute, value in list(values.items()):
            self._learn(space, attribute, value)
        return space

    def _learn(self, space: Space, attribute: str, value: Any) -> None:
        """Note under which name a function or class is known."""
        function = plain(value)
        for item in {id(value): value, id(function): function}.values():
            if is_class(item):
                own = item.__module__ == space.name
            elif isinstance(item, FunctionType):
                own = item.__globals__ is space.values or importable(item) is None
            else:
                own = item is not function
            if own:
                self._note(item, space, attribute)

    def _note(self, value: Any, space: Space, path: str) -> None:
        known = self._paths.get(id(value))
        # Of several names for one thing, its own name is the one that pickles by reference use.
        if known is not None and (getattr(value, "__qualname__", None) != path or known[1] == path):
            return
        self._paths[id(value)] = (space.key, path)
        self._alive.append(value)
        if is_class(value):
            for name, item in list(vars(value).items()):
                function = item.__func__ if isinstance(item, staticmethod) else item
                inside = getattr(function, "__qualname__", None) == f"{value.__qualname__}.{name}"
                if inside and (is_class(function) or isinstance(function, FunctionType)):
                    self._note(function, space, f"{path}.{name}")

    def is_edited(self, module: str) -> bool:
        """Whether the module's file has been edited since, so that it goes by value."""
        return is_edited(module)

    def path(self, value: Any) -> Name | None:
        """The namespace and path under which a value is known, if it is."""
        return self._paths.get(id(value))

    def has_address(self, number: int) -> bool:
        """Whether this is the address of something that has a name."""
        return number in self._paths

    def by_dict(self, values: dict[str, Any]) -> Space | None:
        """The known namespace with these globals."""
        return self._by_dict.get(id(values))

    def value(self, name: Name) -> Any:
        """What the namespace has under that name, without its step decorator."""
        return plain(self.spaces[name[0]].values[name[1]])
