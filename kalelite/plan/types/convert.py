"""Values of parameters: converted to their type, checked, and spelled as text again.

A value comes from Python (a call) or as text (the command line, the KFP UI). From Python only
what loses nothing is converted: an int is a good float and ``"a/b"`` a good ``Path``, but
``"7"`` is no int. Text is read as the type says: ``7``, ``true``, ``[1, 2]``, ``2026-01-31``.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from datetime import date, datetime
from enum import Enum
from pathlib import PurePath
from typing import Any, Literal, get_args, get_origin

from kalelite.errors import UsageError, Where
from kalelite.plan.suggest import did_you_mean
from kalelite.plan.types import scalars
from kalelite.plan.types.annotations import (
    UNKNOWN,
    bare,
    is_abstract,
    is_union,
    names_around,
    resolve,
    spell,
)
from kalelite.plan.types.scalars import MisfitError

Reader = Callable[[Any, Any, bool], Any]
"""Takes a value, the type and whether the value is text."""


def convert(
    value: Any, type: Any, *, name: str, text: bool = False, where: Where | None = None
) -> Any:
    """Convert a parameter's value to its type: a resolved annotation, None for any type.

    ``text`` says that the value was typed on a command line or in the KFP UI. Raises `UsageError`,
    which names the parameter, the value and the type, if the value does not fit.
    """
    try:
        return _convert(value, type, text)
    except MisfitError as wrong:
        found = value if wrong.value is UNKNOWN else wrong.value
        message = f"parameter {name}{wrong.path}: {_show(found)} is not {wrong.expected}"
        raise UsageError(message, hint=wrong.hint, where=where) from None


def _convert(value: Any, kind: Any, text: bool) -> Any:
    kind = bare(kind)
    if kind is None or kind in (Any, object, UNKNOWN):
        return _guess(value) if text else value
    if is_union(kind):
        return _union(value, kind, text)
    reader = _READERS.get(_base(kind)) or _reader_of_class(kind)
    return reader(_scalar(value), kind, text)


def _reader_of_class(kind: Any) -> Reader:
    if isinstance(kind, type):
        if issubclass(kind, Enum):
            return _enum
        if issubclass(kind, PurePath):
            return scalars.read_path
        if dataclasses.is_dataclass(kind):
            return _dataclass
    return _instance


def _base(kind: Any) -> Any:
    """The class of a generic alias: ``list`` of ``list[int]``."""
    kind = bare(kind)
    return get_origin(kind) or kind


def _scalar(value: Any) -> Any:
    """A numpy scalar as the Python number that it is."""
    if type(value).__module__ == "numpy" and getattr(value, "shape", None) == ():
        return value.item()
    return value


def _guess(text: Any) -> Any:
    """Text for a parameter of unknown type: JSON where it is JSON, else the text itself."""
    if not isinstance(text, str):
        return text
    if text.lower() in scalars.NOTHING:
        return None
    try:
        return json.loads(text.lower() if text.lower() in {"true", "false"} else text)
    except (ValueError, RecursionError):
        return text


def _parsed(value: Any, kind: Any, text: bool, example: str) -> Any:
    """The value, read as JSON if it is text."""
    if not text or not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise MisfitError(_a(kind), f"Write JSON, such as {example} ({error}).") from None


def _sequence(value: Any, kind: Any, text: bool) -> Any:
    value = _parsed(value, kind, text, '[1, 2] or ["a", "b"]')
    if not isinstance(value, (list, tuple)):
        raise MisfitError(_a(kind), "Write a list, such as [1, 2].")
    parts = get_args(kind) or (Any, ...)
    if _base(kind) is list or parts[1:] == (...,):
        parts = parts[:1] * len(value)
    if len(parts) != len(value):
        raise MisfitError(_a(kind), f"It has {len(value)} items; {len(parts)} are wanted.")
    pairs = enumerate(zip(value, parts, strict=True))
    return _base(kind)(_inside(f"[{index}]", entry, part) for index, (entry, part) in pairs)


def _dict(value: Any, kind: Any, text: bool) -> dict[Any, Any]:
    parsed = text and isinstance(value, str)
    value = _parsed(value, kind, text, '{"a": 1}')
    if not isinstance(value, Mapping):
        raise MisfitError(_a(kind), 'Write a dict, such as {"a": 1}.')
    parts: tuple[Any, ...] = get_args(kind) or (Any, Any)
    key_type, item_type = parts
    result = {}
    for key, entry in value.items():
        # JSON has no keys but text, so they are read as the command line is.
        named = _inside(f"[{key!r}]", key, key_type, text=parsed and key_type is not Any)
        result[named] = _inside(f"[{key!r}]", entry, item_type)
    return result


def _union(value: Any, kind: Any, text: bool) -> Any:
    """Try the exact type first, then the others; as text, ``str`` comes last."""
    hints = []
    last = (
        (lambda part: bare(part) is str) if text else (lambda part: _base(part) is not type(value))
    )
    for part in sorted(get_args(kind), key=last):
        result, hint = _attempt(value, part, text)
        if hint is None:
            return result
        if hint and part is not type(None):
            hints.append(hint)
    raise MisfitError(_a(kind), hints[0] if len(hints) == 1 else "")


def _attempt(value: Any, kind: Any, text: bool) -> tuple[Any, str | None]:
    """The converted value and None, or nothing and the hint of the mismatch."""
    try:
        return _convert(value, kind, text), None
    except MisfitError as wrong:
        return None, wrong.hint


def _literal(value: Any, kind: Any, text: bool) -> Any:
    choices = get_args(kind)
    for choice in choices:
        if type(choice) is type(value) and choice == value:
            return choice
    for choice in choices if text else ():
        read, hint = _attempt(value, type(choice), text=True)
        if hint is None and read == choice:
            return choice
    shown = ", ".join(repr(choice) if not text else str(choice) for choice in choices)
    near = did_you_mean(str(value), [str(choice) for choice in choices])
    raise MisfitError("one of its values", f"{near} The values are {shown}.".strip())


def _enum(value: Any, kind: type[Enum], text: bool) -> Enum:
    if isinstance(value, kind):
        return value
    if isinstance(value, str) and value in kind.__members__:
        return kind.__members__[value]
    for member in kind:
        same = type(member.value) is type(value) and member.value == value
        if same or (isinstance(value, str) and str(member.value) == value):
            return member
    near = did_you_mean(str(value), list(kind.__members__))
    raise MisfitError(_a(kind), f"{near} The values are {', '.join(kind.__members__)}.".strip())


def _dataclass(value: Any, kind: Any, text: bool) -> Any:
    if isinstance(value, kind):
        return value
    fields = {field.name: field for field in dataclasses.fields(kind) if field.init}
    value = _parsed(value, kind, text, f'{{"{next(iter(fields), "field")}": …}}')
    if not isinstance(value, Mapping):
        raise MisfitError(_a(kind), f"It has the fields {', '.join(fields)}.")
    for key in value:
        if key not in fields:
            near = did_you_mean(str(key), list(fields)) or f"The fields are {', '.join(fields)}."
            raise MisfitError(_a(kind), f"{key!r} is not one of its fields. {near}")
    for name, field in fields.items():
        if name not in value and field.default is field.default_factory is dataclasses.MISSING:
            raise MisfitError(_a(kind), f"The field {name!r} is missing.")
    names = names_around(kind)
    given = {
        key: None  # a field `size: int = None`, as many write it
        if entry is None is fields[key].default
        else _inside(f".{key}", entry, resolve(fields[key].type, names))
        for key, entry in value.items()
    }
    try:
        return kind(**given)
    except (TypeError, ValueError) as error:
        raise MisfitError(_a(kind), f"It says: {error}") from None


def _instance(value: Any, kind: Any, text: bool) -> Any:
    """A type that has no text form: the value is one already, or cannot be checked."""
    base = _base(kind)
    if text and isinstance(base, type) and not is_abstract(base):
        raise MisfitError(_a(kind), "Such a value cannot be written as text; give it in Python.")
    value = _guess(value) if text else value
    try:
        good = isinstance(value, base)
    except TypeError:  # a protocol, a type variable: nothing to hold the value to
        return value
    if not good:
        raise MisfitError(_a(kind))
    return value


def _inside(place: str, value: Any, kind: Any, *, text: bool = False) -> Any:
    """Convert a part of a value; a mismatch names the place."""
    try:
        return _convert(value, kind, text)
    except MisfitError as wrong:
        wrong.path = place + wrong.path
        wrong.value = value if wrong.value is UNKNOWN else wrong.value
        raise


def _a(kind: Any) -> str:
    name = spell(kind)
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


def _show(value: Any) -> str:
    """A value for a message: short, and never an error of its own."""
    try:
        shown = repr(value)
    except Exception:
        shown = f"a {type(value).__name__}"
    return shown if len(shown) <= 80 else shown[:79] + "…"


def to_text(value: Any) -> str:
    """A value as the text that `convert` reads back; raises `UsageError` if there is none."""
    if isinstance(value, str) and not isinstance(value, Enum):
        return value
    if value is None:
        return "none"
    plain = _plain(value)
    if isinstance(plain, str):
        return plain
    try:
        return json.dumps(plain, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{_show(value)} has no text form: {error}") from None


def _plain(value: Any) -> Any:
    """A value as JSON can hold it."""
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, (PurePath, date)):
        return value.isoformat() if isinstance(value, date) else str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [field.name for field in dataclasses.fields(value) if field.init]
        return {name: _plain(getattr(value, name)) for name in fields}
    if isinstance(value, Mapping):
        return {key if isinstance(key, str) else to_text(key): _plain(value[key]) for key in value}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


_READERS: dict[Any, Reader] = {
    Literal: _literal,
    type(None): scalars.read_nothing,
    bool: scalars.read_bool,
    int: scalars.read_int,
    float: scalars.read_float,
    str: scalars.read_str,
    list: _sequence,
    tuple: _sequence,
    dict: _dict,
    datetime: scalars.read_date,
    date: scalars.read_date,
}
