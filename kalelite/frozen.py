"""``@frozen``: data classes that take little time to define; a run defines a hundred of them.

`dataclasses` compiles six functions for a frozen class, which takes longer than all else in most
modules. Here it compiles ``__init__`` alone, and what the others do is shared code. That nobody
assigns to a field is what the type checker holds.
"""

from __future__ import annotations

import dataclasses
from operator import attrgetter
from typing import Any, TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field,))
def frozen(cls: type[T]) -> type[T]:
    """Make a data class with slots, whose objects are compared, hashed and shown by their fields."""
    made = dataclasses.dataclass(slots=True, eq=False, repr=False)(cls)
    fields = dataclasses.fields(made)  # type: ignore[arg-type]
    shown = [field.name for field in fields if field.repr]
    compared = attrgetter(*[field.name for field in fields if field.compare] or ["__class__"])

    def equal(self: T, other: object) -> Any:
        return compared(self) == compared(other) if type(other) is type(self) else NotImplemented

    def hash_of(self: T) -> int:
        return hash(compared(self))

    def show(self: T) -> str:
        values = ", ".join(f"{name}={getattr(self, name)!r}" for name in shown)
        return f"{type(self).__qualname__}({values})"

    for name, method in {"__eq__": equal, "__hash__": hash_of, "__repr__": show}.items():
        if vars(cls).get(name) is None:
            setattr(made, name, method)
    return made
