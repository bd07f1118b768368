"""What `step` and `pipeline` may be put on, and what is wrong with anything else."""

from __future__ import annotations

import functools
import inspect
from typing import Any

from kalelite.errors import Problem, Where
from kalelite.source.locations import of_function

__all__ = ["function_problem", "look_like", "signature_of"]


def function_problem(target: Any, decorator: str, place: Where) -> Problem | None:
    """What is wrong with the object under the decorator, None if it is a plain function.

    ``place`` is where the decorator was called, for objects that have no line of their own.
    """
    name = getattr(target, "__name__", type(target).__name__)
    wrong = _kind(target, decorator, name)
    if wrong is None:
        return None
    what, hint = wrong
    # A lambda has no `def` to point at.
    where = place if name == "<lambda>" else of_function(target) or place
    return Problem(f"@{decorator} is for plain functions; {what}", hint, where)


def _kind(  # noqa: PLR0911 - one for each kind of object
    target: Any, decorator: str, name: str
) -> tuple[str, str] | None:
    if isinstance(target, type):
        return (
            f"`{name}` is a class",
            f"Write a function that makes the object: `def make(...): return {name}(...)`.",
        )
    if isinstance(target, functools.partial):
        inner = getattr(target.func, "__name__", "function")
        return (
            "this is a partial",
            f"Decorate `{inner}` itself, and give the arguments where it is called.",
        )
    if isinstance(target, (staticmethod, classmethod, property)):
        kind = type(target).__name__
        return f"this is a {kind}", f"Move the function out of its class, and drop @{kind}."
    if inspect.ismethod(target):
        return (
            f"`{name}` is a method",
            "Write a function that takes the object as an argument: `def f(thing, x): ...`.",
        )
    if inspect.isbuiltin(target):
        return f"`{name}` is built in", f"Wrap it: `def my_{name}(x): return {name}(x)`."
    if not inspect.isfunction(target):
        return _object(target, decorator, name)
    if target.__name__ == "<lambda>":
        return "this is a lambda", "Write it with `def` and a name."
    if inspect.iscoroutinefunction(target) or inspect.isasyncgenfunction(target):
        return (
            f"`{name}` is async",
            f"Write `def {name}(...)`, and run the coroutine inside it: `return asyncio.run(...)`.",
        )
    if inspect.isgeneratorfunction(target):
        return (
            f"`{name}` is a generator",
            "Return a list instead of yielding, since nothing can be handed on half made.",
        )
    return _method(target, name)


def _object(target: Any, decorator: str, name: str) -> tuple[str, str]:
    kind = type(target).__name__
    if hasattr(target, "__wrapped__"):
        return (
            f"`{name}` has become a {kind} object",
            f"Put @{decorator} right above its `def`, and leave out the decorator in between.",
        )
    return (
        f"this is a {kind} object",
        f"Put @{decorator} above a `def`; options go in brackets: `@{decorator}(name=...)`.",
    )


def _method(target: Any, name: str) -> tuple[str, str] | None:
    owner, _, _ = target.__qualname__.rpartition(".")
    first = next(iter(inspect.signature(target).parameters), "")
    if owner and not owner.endswith("<locals>") and first in {"self", "cls"}:
        return (
            f"`{name}` is a method of `{owner}`",
            f"Move it out of the class, and pass the object as an argument: `def {name}(thing, ...)`.",
        )
    return None


def look_like(this: Any, function: Any) -> None:
    """Give `this` the name, the docstring and the attributes of a function, but for its own."""
    functools.update_wrapper(this, function, updated=())
    for name, value in getattr(function, "__dict__", {}).items():
        if not hasattr(this, name):
            setattr(this, name, value)


def signature_of(function: Any) -> inspect.Signature:
    """The function's signature; one that takes anything where Python knows none."""
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):
        kinds = inspect.Parameter
        return inspect.Signature(
            [kinds("args", kinds.VAR_POSITIONAL), kinds("kwargs", kinds.VAR_KEYWORD)]
        )
