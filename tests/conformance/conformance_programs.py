"""The programs of the conformance suite, and what their results are."""

from __future__ import annotations

import importlib.util
import sys
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

PROGRAMS = Path(__file__).parent / "programs"


def load(path: Path) -> ModuleType:
    """A program as its own ``__main__`` would be: nothing of it can be imported by a step."""
    spec = importlib.util.spec_from_file_location("__main__", path)
    module = importlib.util.module_from_spec(spec)
    code = compile(path.read_text(), str(path), "exec")
    before = sys.modules["__main__"]
    sys.modules["__main__"] = module
    try:
        exec(code, module.__dict__)
    finally:
        sys.modules["__main__"] = before
    return module


def arguments_of(program: ModuleType, plan, journal: Path) -> dict[str, Any]:
    """Values of all parameters: the program's own, the journal, else the defaults."""
    said = {"journal": str(journal), **getattr(program, "ARGUMENTS", {})}
    return {p.name: said.get(p.name, p.default) for p in plan.parameters}


def value_of(expr, reference, store, arguments) -> Any:
    """The value of an expression over tasks that are in no block."""
    from kalelite.plan.graph import Constant, OneOf, OutputRef, Pack, ParameterRef

    if isinstance(expr, Constant):
        return expr.value
    if isinstance(expr, ParameterRef):
        return arguments[expr.name]
    if isinstance(expr, Pack):
        items = [value_of(item, reference, store, arguments) for item in expr.items]
        return dict(zip(expr.keys, items)) if expr.type is dict else expr.type(items)
    if isinstance(expr, OneOf):
        for choice in expr.choices:
            with suppress(KeyError):
                return value_of(choice, reference, store, arguments)
    assert isinstance(expr, OutputRef), expr
    return store.load(reference(expr), expr.path)
