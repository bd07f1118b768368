"""``%%step``: a cell as a step. What the cell takes and gives is found by its syntax."""

from __future__ import annotations

import ast
import dataclasses
import traceback
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import kalelite
from kalelite.errors import PipelineError, Problem, ScriptError, Where, in_cell
from kalelite.frozen import frozen
from kalelite.notebook.free_names import BUILTINS
from kalelite.notebook.shell import keep_source
from kalelite.notebook.statement_names import Names, assigned, names_of
from kalelite.notebook.step_line import StepMagic, read_line
from kalelite.notebook.tagged_pipeline import at_place, define_function
from kalelite.source.locations import of_syntax_error


@frozen
class CellStep:
    """A cell under ``%%step``: its Python, and what the step takes and returns."""

    asked: StepMagic
    where: Where
    text: str
    body: list[ast.stmt]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def read_cell_step(
    source: str, file: str, transform: Callable[[str], str], is_code: Callable[[str], bool]
) -> CellStep:
    """Read a cell whose first line is ``%%step``.

    ``transform`` makes Python of magics; ``is_code`` knows functions, classes and modules by name.
    Raises `UsageError`, `ScriptError`, `PipelineError`: its line, its syntax or what it does is
    not usable.
    """
    # A comment stands for the magic's own line, so that the others keep their numbers.
    text = transform(f"# {source}")
    keep_source(file, text)
    rows = source.splitlines()

    def place(number: int) -> Where:
        return Where(file, number, text=rows[number - 1])

    asked = read_line(rows[0].removeprefix("%%step"), place(1))
    try:
        body = ast.parse(text, file).body
        problems = [Problem(what, hint, place(at)) for at, what, hint in _unfit(body)]
        if not problems:
            compile(text, file, "exec", dont_inherit=True)  # return, yield, await
            names = names_of(body)
            inputs = asked.inputs or _inputs(names, is_code)
            problems += _unassigned(names, inputs, place)
            outputs = asked.outputs or tuple(n for n in assigned(body) if n not in names.deleted)
            problems += _uncertain(asked, names, inputs, outputs, place)
        if problems:
            raise PipelineError(*problems)
    except SyntaxError as error:
        where = of_syntax_error(error, file, source)
        raise ScriptError(f"{type(error).__name__}: {error.msg}", where=where) from error
    return CellStep(asked, place(1), text, body, inputs, outputs)


def define_cell_step(line: str, cell: str, shell: Any) -> None:
    """Define the step of a cell in the namespace of an IPython shell.

    Raises what `read_cell_step` does.
    """
    space, file = shell.user_ns, _running_cell()
    step = read_cell_step(
        f"%%step {line}\n{cell}", file, shell.transform_cell, lambda name: _is_code(name, space)
    )
    name, body = step.asked.name, [*step.body]
    options = step.asked.values(step.where, shell.ev)
    if step.outputs:
        body.append(at_place(ast.parse(f"return {', '.join(step.outputs)}").body[0], body[-1]))
    function = define_function(file, name, _arguments(step.inputs), body, space)
    made = kalelite.step(**options)(function)
    made.definition = dataclasses.replace(made.definition, where=step.where)
    space[name] = made
    print(f"step {name}({', '.join(step.inputs)}) -> {', '.join(step.outputs) or 'nothing'}")


def _running_cell() -> str:
    """The name by which IPython has compiled the cell that runs now."""
    frames = (frame for frame, _ in traceback.walk_stack(None))
    files = (frame.f_code.co_filename for frame in frames)
    return next((file for file in files if in_cell(file, 1)), "In[0]")


def _unfit(body: list[ast.stmt]) -> Iterator[tuple[int, str, str]]:
    """What a step cannot do: line, message, hint."""
    if not body:
        yield 1, "the cell of %%step is empty", "Write the step's statements below this line."
    for node in (node for statement in body for node in ast.walk(statement)):
        match node:
            case ast.Name(id=name) if name == "get_ipython":
                hint = "Write it as Python: in a step there is no IPython."
                yield node.lineno, "a magic cannot be in a step", hint
            case ast.ImportFrom(names=[ast.alias(name="*")]):
                hint = f"Import what is used by its name, or move `from {node.module} import *` to a cell above."
                yield node.lineno, "a step cannot import *", hint
            case ast.Global():
                hint = "Take the value as a parameter and give it as an output."
                yield node.lineno, "a step has no global names of its own", hint


def _inputs(names: Names, is_code: Callable[[str], bool]) -> tuple[str, ...]:
    taken = [name for name in names.reads if name not in names.binds or name in names.early]
    return tuple(name for name in taken if not is_code(name))


def _is_code(name: str, space: dict[str, Any]) -> bool:
    """Functions, classes and modules; an object that can be called, as a model, is a value."""
    if name not in space or name.startswith("__"):
        return name in BUILTINS
    value = space[name]
    return isinstance(value, ModuleType) or (callable(value) and hasattr(value, "__name__"))


def _unassigned(
    names: Names, inputs: tuple[str, ...], place: Callable[[int], Where]
) -> Iterator[Problem]:
    for name in sorted(names.early & names.binds.keys() - set(inputs), key=names.reads.__getitem__):
        message = f"{name!r} is read before it is assigned"
        hint = (
            f"What a step assigns is its own: use another name, or take it as an input: -i {name}."
        )
        yield Problem(message, hint, place(names.reads[name]))


def _uncertain(
    asked: StepMagic,
    names: Names,
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
    place: Callable[[int], Where],
) -> Iterator[Problem]:
    """Inputs and outputs that the cell does not have, or does not have for sure."""
    for name in inputs:
        if name not in names.reads and name not in outputs:
            yield Problem(f"-i {name}: the cell does not read it", "Leave it out.", place(1))
    for name in outputs:
        if name in names.settled or name in inputs:
            continue
        if name not in names.binds:
            yield Problem(f"-o {name}: the cell does not assign it", "Leave it out.", place(1))
        elif asked.outputs is None:
            message = f"{name!r} is assigned under a condition or in a loop only"
            hint = "Assign it above as well, call it `_{0}` if no other step takes it, or name the outputs: -o {0}."
            yield Problem(message, hint.format(name), place(names.binds[name]))


def _arguments(names: tuple[str, ...]) -> ast.arguments:
    return ast.arguments(
        posonlyargs=[], args=[ast.arg(n) for n in names], kwonlyargs=[], kw_defaults=[], defaults=[]
    )
