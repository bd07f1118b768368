"""What captured pickles call to make classes and the members of enums again.

This module travels with the steps. It imports the standard library and cloudpickle only.
"""

from __future__ import annotations

import abc
import contextlib
import types
from collections.abc import Iterable, Iterator, Mapping
from typing import Any


def define_class(
    namespace: dict[str, Any] | None,
    key: str,
    qualname: str,
    shape: Mapping[str, Any],
    class_id: str,
) -> Any:
    """Make a class. In a namespace it is put there at once; if it is there, that one is it."""
    if namespace is not None and key in namespace:
        return namespace[key]
    from cloudpickle import cloudpickle  # type: ignore[import-untyped]

    made = cloudpickle._lookup_class_or_track(class_id, _new_class(**shape))
    if namespace is not None:
        namespace[key] = made
    type.__setattr__(made, "__qualname__", qualname)
    return made


def _new_class(
    name: str,
    metaclass: Any,
    maker: Any,
    bases: tuple[Any, ...],
    body: Mapping[str, Any],
    muted: Iterable[type],
    keywords: Mapping[str, Any],
    items: Mapping[str, tuple[type, tuple[Any, ...]]],
) -> Any:
    """A class with the ``body`` only, made by ``maker``; an enum has bare members as well."""
    with _muted(muted):
        if maker is metaclass:
            given = {"metaclass": metaclass, **keywords}
            made = types.new_class(name, bases, given, lambda space: space.update(body))
        else:
            resolved = types.resolve_bases(bases)
            made = maker.__new__(metaclass, name, resolved, dict(body), **keywords)
            maker.__init__(made, name, resolved, dict(body), **keywords)
    if items:
        members = {item: base.__new__(made, *given) for item, (base, given) in items.items()}
        type.__setattr__(made, "_member_map_", members)
    return made


@contextlib.contextmanager
def _muted(owners: Iterable[type]) -> Iterator[None]:
    """Let the hooks for subclasses that these classes have do nothing, within the block."""
    silent = staticmethod(_nothing)
    hooks = {cls: hook for cls in owners if (hook := vars(cls).get("__init_subclass__"))}
    try:
        for cls in hooks:
            type.__setattr__(cls, "__init_subclass__", silent)
        yield
    finally:
        for cls, hook in hooks.items():
            type.__setattr__(cls, "__init_subclass__", hook)


def _nothing(**keywords: object) -> None:
    """In place of a hook."""


def fill_class(cls: Any, state: Mapping[str, Any]) -> None:
    """Give a class its members, in the order in which it had them."""
    for name, values in state.get("items", {}).items():
        cls._member_map_[name].__dict__.update(values)
    _set(cls, state["members"])
    for item in state.get("registered", ()):
        abc.ABCMeta.register(cls, item)
    if "keywords" in state:
        # What a module does for its subclasses may show in that module, which is imported anew.
        super(cls, cls).__init_subclass__(**state["keywords"])
        _set(cls, state["members"])


def _set(cls: Any, members: Mapping[str, Any]) -> None:
    for name, value in members.items():
        type.__setattr__(cls, name, value)


def member(cls: Any, name: str) -> Any:
    """The member of an enum."""
    return cls._member_map_[name]
