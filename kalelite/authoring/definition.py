"""What `step` and `pipeline` are put on, and what is wrong with anything else."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, Protocol

from kalelite.errors import Problem, Where
from kalelite.plan.graph import Parameter
from kalelite.plan.options import PipelineOptions
from kalelite.source.locations import of_function


class PipelineDefinition(Protocol):
    """A decorated function, as it is traced and given its arguments."""

    name: str
    options: PipelineOptions
    description: str
    where: Where | None
    problems: tuple[Problem, ...]
    parameters: tuple[Parameter, ...]

    @property
    def __wrapped__(self) -> Callable[..., Any]: ...


def function_problem(target: Any, decorator: str, place: Where) -> Problem | None:
    """What is wrong with the object under the decorator, None if it is a plain function.

    ``place`` is where the decorator was called, for objects that have no line of their own.
    """
    name = getattr(target, "__name__", type(target).__name__)
    what, hint = (
        _of_function(target, name)
        if inspect.isfunction(target)
        else _of_object(target, decorator, name)
    )
    if not what:
        return None
    # A lambda has no `def` to point at.
    where = place if name == "<lambda>" else of_function(target) or place
    return Problem(f"@{decorator} is for plain functions; {what}", hint, where)


def _of_object(target: Any, decorator: str, name: str) -> tuple[str, str]:
    kind = type(target).__name__
    what = f"this is a {kind} object"
    hint = f"Put @{decorator} above a `def`; options go in brackets: `@{decorator}(name=...)`."
    if isinstance(target, type):
        what = f"`{name}` is a class"
        hint = f"Write a function that makes the object: `def make(...): return {name}(...)`."
    elif isinstance(target, functools.partial):
        what = "this is a partial"
        inner = getattr(target.func, "__name__", "function")
        hint = f"Decorate `{inner}` itself, and give the arguments where it is called."
    elif isinstance(target, (staticmethod, classmethod, property)):
        what = f"this is a {kind}"
        hint = f"Move the function out of its class, and drop @{kind}."
    elif inspect.ismethod(target):
        what = f"`{name}` is a method"
        hint = "Write a function that takes the object as an argument: `def f(thing, x): ...`."
    elif inspect.isbuiltin(target):
        what = f"`{name}` is built in"
        hint = f"Wrap it: `def my_{name}(x): return {name}(x)`."
    elif hasattr(target, "__wrapped__"):
        what = f"`{name}` has become a {kind} object"
        hint = f"Put @{decorator} right above its `def`, and leave out the decorator in between."
    return what, hint


def _of_function(function: Any, name: str) -> tuple[str, str]:
    what = hint = ""
    owner, _, _ = function.__qualname__.rpartition(".")
    first = next(iter(inspect.signature(function).parameters), "")
    if name == "<lambda>":
        what, hint = "this is a lambda", "Write it with `def` and a name."
    elif inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        what = f"`{name}` is async"
        hint = (
            f"Write `def {name}(...)`, and run the coroutine inside it: `return asyncio.run(...)`."
        )
    elif inspect.isgeneratorfunction(function):
        what = f"`{name}` is a generator"
        hint = "Return a list instead of yielding, since nothing can be handed on half made."
    elif owner and not owner.endswith("<locals>") and first in {"self", "cls"}:
        what = f"`{name}` is a method of `{owner}`"
        hint = f"Move it out of the class, and pass the object as an argument: `def {name}(thing, ...)`."
    return what, hint


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
