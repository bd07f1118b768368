"""``@frozen``: data classes that take little time to define; a run defines a hundred of them.

`dataclasses` compiles six functions for a frozen class, which takes longer than all else in most
modules. Here ``__init__`` alone is compiled, for the first object, and what the others do is shared
code. That nobody assigns to a field is what the type checker holds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from operator import attrgetter
from typing import Any, TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field,))
def frozen(cls: type[T]) -> type[T]:
    """Make a data class with slots, whose objects are compared, hashed and shown by their fields."""
    made = _made(cls)
    fields = dataclasses.fields(made)  # type: ignore[arg-type]
    compared = attrgetter(*[field.name for field in fields if field.compare] or ["__class__"])

    def equal(self: T, other: object) -> Any:
        return compared(self) == compared(other) if type(other) is type(self) else NotImplemented

    def hash_of(self: T) -> int:
        return hash(compared(self))

    return _with(made, __eq__=equal, __hash__=hash_of)


@dataclass_transform(frozen_default=True, eq_default=False, field_specifiers=(dataclasses.field,))
def entity(cls: type[T]) -> type[T]:
    """As `frozen`, but an object equals itself alone."""
    return _made(cls)


@dataclass_transform(eq_default=False, field_specifiers=(dataclasses.field,))
def mutable(cls: type[T]) -> type[T]:
    """As `entity`, of objects whose fields may be assigned to."""
    return _made(cls)


def _made(cls: type[T]) -> type[T]:
    # Of a class without a docstring `dataclasses` finds the signature, which takes a millisecond.
    cls.__doc__ = cls.__doc__ or cls.__name__
    made = dataclasses.dataclass(slots=True, eq=False, repr=False, init=False)(cls)

    def show(self: T) -> str:
        shown = (field.name for field in dataclasses.fields(made) if field.repr)  # type: ignore[arg-type]
        values = ", ".join(f"{name}={getattr(self, name)!r}" for name in shown)
        return f"{type(self).__qualname__}({values})"

    def init(self: T, *args: Any, **kwargs: Any) -> None:
        real = made.__init__ = _init(made)  # type: ignore[method-assign]
        real(self, *args, **kwargs)

    return _with(made, __repr__=show, __init__=init)


def _with(cls: type[T], **methods: Any) -> type[T]:
    """Give a class those of some methods that it does not define itself."""
    for name, method in methods.items():
        if vars(cls).get(name) is None:
            setattr(cls, name, method)
    return cls


def _init(cls: type) -> Callable[..., None]:
    """The ``__init__`` of a data class, as `dataclasses` makes it, which takes five times as long."""
    space: dict[str, Any] = {}
    placed, named, lines = ["self"], ["*"], []
    for each in dataclasses.fields(cls):
        name, value, default = each.name, each.name, f"_{each.name}_"
        if each.default_factory is not dataclasses.MISSING:
            space[default] = each.default_factory
            value = f"{default}() if {name} is {default} else {name}"
        elif each.default is not dataclasses.MISSING:
            space[default] = each.default
        if each.init:
            given = f"{name}={default}" if default in space else name
            (named if each.kw_only else placed).append(given)
        elif default in space:
            lines.append(f"{name} = {default}")
        else:
            continue
        lines.append(f"self.{name} = {value}")
    lines.append("self.__post_init__()" if hasattr(cls, "__post_init__") else "pass")
    parameters = [*placed, *(named if len(named) > 1 else ())]
    exec("\n ".join([f"def __init__({', '.join(parameters)}):", *lines]), space)
    init: Callable[..., None] = space["__init__"]
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    return init
