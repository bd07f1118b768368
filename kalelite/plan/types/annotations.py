"""Annotations, resolved with the names at hand.

An annotation may be text (``from __future__ import annotations``, a forward reference). It is
read as an expression of names, attributes and subscripts and looked up in the function's own
globals; nothing is evaluated, and nothing is imported, so a hint of a library that is loaded
lazily costs nothing. What cannot be resolved is `UNKNOWN`.
"""

from __future__ import annotations

import ast
import builtins
import sys
import types
import typing
from collections.abc import Mapping
from typing import Annotated, Any, NewType, Union, get_args, get_origin


class _Unknown:
    """Stands for an annotation that is absent or cannot be resolved."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Any = _Unknown()


def resolve(annotation: Any, names: Mapping[str, Any]) -> Any:
    """The type that an annotation means, `UNKNOWN` if the names at hand do not tell."""
    if isinstance(annotation, typing.ForwardRef):
        annotation = annotation.__forward_arg__
    if isinstance(annotation, str):
        try:
            annotation = _read(ast.parse(annotation.strip(), mode="eval").body, names)
        except (SyntaxError, ValueError, LookupError, TypeError, AttributeError):
            return UNKNOWN
    if annotation is None:
        return type(None)
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    # `typing.Tuple` without types says as much as `tuple`; `Tuple[()]` says more.
    plain = getattr(typing, getattr(annotation, "_name", None) or "", None) is annotation
    return get_origin(annotation) or annotation if plain else annotation


def _read(node: ast.expr, names: Mapping[str, Any]) -> Any:
    """The object that an expression of names, attributes and subscripts means.

    Raises LookupError for a name that is not at hand, TypeError or ValueError for any other
    expression.
    """
    match node:
        case ast.Name(id=name):
            return names[name] if name in names else vars(builtins)[name]
        case ast.Attribute(value=owner, attr=name):
            # vars() and not getattr: a module may import a library on attribute access.
            return vars(_read(owner, names))[name]
        case ast.Subscript(value=owner, slice=index):
            generic = _read(owner, names)
            literal = getattr(generic, "_name", "") == "Literal"
            parts = index.elts if isinstance(index, ast.Tuple) else [index]
            args = tuple(
                ast.literal_eval(part) if literal else _argument(part, names) for part in parts
            )
            return generic[args if isinstance(index, ast.Tuple) else args[0]]
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return Union[_argument(left, names), _argument(right, names)]
        case ast.Constant(value=value):
            return resolve(value, names) if isinstance(value, str) else value
        case ast.List(elts=parts):
            return [_read(part, names) for part in parts]
    raise TypeError(node)


def _argument(node: ast.expr, names: Mapping[str, Any]) -> Any:
    value = _read(node, names)
    if value is UNKNOWN:
        raise LookupError(ast.unparse(node))
    return value


def names_around(kind: type) -> Mapping[str, Any]:
    """The names that the annotations of a class see: those of its module, and its own."""
    return {**getattr(sys.modules.get(kind.__module__), "__dict__", {}), kind.__name__: kind}


def bare(annotation: Any) -> Any:
    """An annotation without ``Annotated`` and ``NewType``."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        elif isinstance(annotation, NewType):
            annotation = annotation.__supertype__
        else:
            return annotation


def is_union(annotation: Any) -> bool:
    """``Union[int, str]`` or ``int | str``."""
    return get_origin(annotation) in (Union, types.UnionType)


def is_abstract(kind: type) -> bool:
    """A class that others may belong to without inheriting from it."""
    return bool(getattr(kind, "_is_protocol", False) or getattr(kind, "__abstractmethods__", ()))


def spell(hint: Any) -> str:
    """A type as a user would write it."""
    if hint is type(None):
        return "None"
    if isinstance(hint, types.GenericAlias) or not isinstance(hint, type):
        return str(hint).replace("typing.", "")
    return hint.__qualname__
