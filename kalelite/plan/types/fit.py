"""Which types are primitives, and which fit where."""

from __future__ import annotations

from typing import Any, Literal, get_args, get_origin

from kalelite.plan.types.annotations import UNKNOWN, bare, is_abstract, is_union

MarshalData = Any
"""Kale's hint for a value that goes through the marshal volume: any value that is not annotated
as a primitive does, so it means the same as no annotation."""


def native_name(annotation: Any) -> str | None:
    """The primitive that a type is: ``int float str bool list dict``; None if it is not one.

    ``list[int]`` and ``Literal["a", "b"]`` are primitives, too; ``int | None`` is not, nor is a
    list of arrays.
    """
    annotation = bare(annotation)
    if annotation in {int, float, str, bool, list, dict}:
        return str(annotation.__name__)
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        kinds = {type(choice) for choice in args}
        return native_name(kinds.pop()) if len(kinds) == 1 else None
    if origin is list:
        return "list" if all(_is_plain(arg) for arg in args) else None
    if origin is dict:
        plain = len(args) == 2 and args[0] is str and _is_plain(args[1])
        return "dict" if plain else None
    return None


def _is_plain(annotation: Any) -> bool:
    annotation = bare(annotation)
    if annotation in {Any, type(None)} or native_name(annotation):
        return True
    return is_union(annotation) and all(map(_is_plain, get_args(annotation)))


def fits(produced: Any, wanted: Any) -> bool:
    """Whether a value annotated as ``produced`` can be given where ``wanted`` is annotated.

    Says no only when it is certain: what is not known fits.
    """
    produced, wanted = bare(produced), bare(wanted)
    if any(hint in (UNKNOWN, None, Any, object) for hint in (produced, wanted)):
        return True
    if is_union(produced) or is_union(wanted):
        return any(fits(ours, theirs) for ours in parts_of(produced) for theirs in parts_of(wanted))
    if Literal in {get_origin(produced), get_origin(wanted)}:
        return _literals_fit(produced, wanted)
    left, right = get_origin(produced) or produced, get_origin(wanted) or wanted
    if not _classes_fit(left, right):
        return False
    ours, theirs = get_args(produced), get_args(wanted)
    if left is right and left in {list, dict, set, frozenset} and len(ours) == len(theirs):
        return all(map(fits, ours, theirs))
    return True


def takes_literals(hint: Any) -> bool:
    """Whether the annotation, or a part of its union, is a Literal."""
    return any(get_origin(part) is Literal for part in parts_of(bare(hint)))


def parts_of(hint: Any) -> tuple[Any, ...]:
    """The types that a union allows; the type itself if it is none."""
    return get_args(hint) if is_union(hint) else (hint,)


def _classes_fit(produced: Any, wanted: Any) -> bool:
    if not isinstance(produced, type) or not isinstance(wanted, type):
        return True
    if wanted in {float, complex} and produced in {int, float}:
        return True
    if is_abstract(produced) or is_abstract(wanted):
        return True
    return issubclass(produced, wanted) or issubclass(wanted, produced)


def _literals_fit(produced: Any, wanted: Any) -> bool:
    if get_origin(wanted) is Literal and get_origin(produced) is Literal:
        return bool(set(get_args(produced)) & set(get_args(wanted)))
    literal, other = (produced, wanted) if get_origin(produced) is Literal else (wanted, produced)
    return any(fits(type(choice), other) for choice in get_args(literal))
