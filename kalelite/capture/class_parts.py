"""Classes and enums by value: what they are made of, in written order, without their hooks.

What a metaclass or ``__init_subclass__`` of the script did when the class was defined shows in the
members of classes and in globals, which travel. So they do not run again.
"""

from __future__ import annotations

import abc
import ast
import contextlib
import inspect
import operator
import sys
import textwrap
from collections.abc import Mapping
from enum import Enum, EnumMeta
from types import GetSetDescriptorType, MemberDescriptorType
from typing import Any

from cloudpickle import cloudpickle  # type: ignore[import-untyped]

from kalelite.capture.namespaces import importable
from kalelite.capture.pickled import Aside
from kalelite.capture.rebuild_class import define_class, fill_class, member
from kalelite.marshal.formats._pickle import origin_and_arguments

# Set by the compiler on a class, with lines and an order that depend on nothing that it does.
_NOISE = frozenset({"__firstlineno__", "__static_attributes__"})
_ABC = frozenset({"_abc_impl", "_abc_cache", "_abc_registry", "_abc_negative_cache"})
_GIVEN = frozenset({"__module__", "__slots__", "__orig_bases__"})
"""Members that a class has when it is made; the others are set on it."""
_SINGLETONS = frozenset({type(None), type(...), type(NotImplemented)})
_OWN = frozenset({"builtins", "abc", "enum", "typing"})


def reduced_class(cls: type, home: object, key: str | None) -> Any:
    """How a class by value is pickled.

    ``home`` stands for the globals that have it, ``key`` is its name there.
    """
    # What begins with an underscore is private; setup.cfg asks for the versions that have it.
    if cls in _SINGLETONS or cls in cloudpickle._BUILTIN_TYPE_NAMES:
        return cloudpickle._class_reduce(cls)
    if generic := origin_and_arguments(cls):
        return operator.getitem, generic
    maker = _maker(type(cls))
    body = {name: vars(cls)[name] for name in sorted(_GIVEN) if name in vars(cls)}
    owners = [base for base in cls.__mro__[1:] if "__init_subclass__" in vars(base)]
    late = [base for base in owners if not _is_standard(base)]
    calls_hook = bool(late) and importable(late[0]) is not None
    keywords = _keywords(cls) if calls_hook or not _is_standard(maker) else {}
    state: dict[str, Any] = {"members": _members(cls)}
    if calls_hook:
        state["keywords"] = keywords
    if isinstance(cls, abc.ABCMeta):
        registered = [reference() for reference in abc._get_dump(cls)[0]]  # type: ignore[attr-defined]
        known = [item for item in registered if item is not None]
        state["registered"] = sorted(known, key=lambda item: (item.__module__, item.__qualname__))
    items: dict[str, Any] = {}
    if isinstance(cls, EnumMeta):
        items = {name: _new_arguments(cls._member_map_[name]) for name in _canonical(cls)}
        state["items"] = {name: vars(cls._member_map_[name]) for name in items}
    shape = {
        "name": cls.__name__,
        "metaclass": type(cls),
        "maker": maker,
        "bases": cls.__bases__ if _is_standard(maker) else cloudpickle._get_bases(cls),
        "body": body,
        "muted": late,
        "keywords": {} if _is_standard(maker) else keywords,
        "items": items,
    }
    # By its id, cloudpickle knows a class that comes twice into one process: with the code,
    # and within a value that a step has pickled by value, such as a lambda.
    arguments = (home, key, cls.__qualname__, shape, Aside(cls))
    return define_class, arguments, state, None, None, fill_class


def reduced_member(value: Enum) -> Any:
    """How a member of an enum by value is pickled; a combination of flags as enum has it."""
    own = type(value)._member_map_.get(value._name_)
    return (member, (type(value), value._name_)) if own is value else NotImplemented


def _is_standard(cls: type) -> bool:
    """Whether the standard library has it: then all that it does to a class shows in the class."""
    return cls.__module__.partition(".")[0] in sys.stdlib_module_names


def _maker(metaclass: type) -> type:
    """The metaclass that makes it: the first of a library, `abc.ABCMeta` or `type`."""
    for cls in metaclass.__mro__:
        if cls in {abc.ABCMeta, type} or (importable(cls) and not _is_standard(cls)):
            return cls
    return type


def _members(cls: type) -> dict[str, Any]:
    """What is set on the class after it is made. A copy of each name: see cloudpickle."""
    found = {}
    for name, value in vars(cls).items():
        slot = isinstance(value, MemberDescriptorType) and value.__objclass__ is cls
        made = isinstance(value, GetSetDescriptorType) and name in {"__dict__", "__weakref__"}
        if not (slot or made or name in _GIVEN or name in _ABC):
            found["".join(list(name))] = Aside(value) if name in _NOISE else value
    if isinstance(cls, EnumMeta):
        own = {id(item) for item in cls._member_map_.values()}
        known = vars(cls).get("_value2member_map_", {})
        found["_value2member_map_"] = {k: item for k, item in known.items() if id(item) in own}
    # A library may make use of the docstrings of classes that are made from its own.
    standard = all(base.__module__ in _OWN or importable(base) is None for base in cls.__mro__)
    docstring = vars(cls).get("__doc__")
    if isinstance(docstring, str | None) and standard:
        found.pop("__doc__", None)  # which may be there or not, where it is None
        found["__doc__"] = Aside(docstring, docstring=docstring)
    return found


def _canonical(cls: Any) -> list[str]:
    """The names of the members that are no aliases."""
    return [name for name, item in cls._member_map_.items() if item._name_ == name]


def _new_arguments(value: Any) -> tuple[type, tuple[Any, ...]]:
    """The class whose ``__new__`` makes a bare member, and what it is given."""
    reduced = object.__reduce_ex__(value, 2)
    assert isinstance(reduced, tuple)
    arguments = reduced[1] if reduced[0] is type(value) else reduced[1][1:]
    mixed_in = type(value)._member_type_
    makers = (base for base in mixed_in.__mro__ if "__new__" in vars(base))
    return next(base for base in makers if importable(base) or base is object), arguments


def _keywords(cls: type) -> dict[str, Any]:
    """The keywords of the class statement, as far as no call has to be made for them."""
    try:
        node = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0]
    except (OSError, TypeError, SyntaxError, ValueError, IndexError):
        return {}
    names = vars(sys.modules[cls.__module__])
    found = {}
    for keyword in node.keywords if isinstance(node, ast.ClassDef) else ():
        if keyword.arg and keyword.arg != "metaclass":
            with contextlib.suppress(KeyError, AttributeError, ValueError):
                found[keyword.arg] = _value(keyword.value, names)
    return found


def _value(node: ast.expr, names: Mapping[str, Any]) -> Any:
    """What an expression without calls stands for."""
    if isinstance(node, ast.Name):
        return names[node.id]
    if isinstance(node, ast.Attribute):
        return getattr(_value(node.value, names), node.attr)
    return ast.literal_eval(node)
