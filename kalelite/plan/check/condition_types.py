"""What conditions and loops may read, and annotations that cannot both be right."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from kalelite.errors import Problem, Where
from kalelite.plan.check.loop_items import Items
from kalelite.plan.graph import (
    Branch,
    Collected,
    Compare,
    Constant,
    Expr,
    ItemRef,
    Loop,
    OneOf,
    OutputRef,
    Pack,
    ParameterRef,
    Plan,
    StepDef,
    Task,
    subscripts,
)
from kalelite.plan.types.fit import fits, native_name, parts_of, takes_literals
from kalelite.plan.types.hints import UNKNOWN, hints_of, spell

_PRIMITIVES = frozenset({"int", "float", "str", "bool"})
_PLAIN = frozenset({bool, bytes, dict, float, int, list, set, str, tuple, type(None)})


def check_types(plan: Plan) -> Iterator[Problem]:
    """Conditions and loops over values that are no primitives, and arguments of a wrong type."""
    reader = _Reader(plan)
    for block in plan.blocks:
        if isinstance(block, Loop):
            yield from reader.items(block)
        elif isinstance(block, Branch) and block.condition is not None:
            yield from reader.condition(block.condition, block.where)
    for task in plan.tasks:
        if isinstance(task.step, StepDef):
            yield from reader.arguments(task, task.step)


class _Reader:
    """Looks up what a plan says of the values in it."""

    def __init__(self, plan: Plan) -> None:
        self._items = Items(plan)
        self._tasks = {task.id: task for task in plan.tasks}
        self._parameters = {parameter.name: parameter for parameter in plan.parameters}
        self._hints: dict[int, dict[str, Any]] = {}
        self._fits: dict[tuple[Any, Any], bool] = {}

    def _type(self, expr: Expr) -> Any:
        """The type of a value, `UNKNOWN` if nothing says it."""
        kind = UNKNOWN
        match expr:
            case OutputRef(task=id, output=name, path=()):
                kind = self._tasks[id].output(name).type
            case Constant(value=value) if type(value) in _PLAIN:
                kind = type(value)
            case ParameterRef(name=name, path=()):
                kind = self._parameters[name].type
            case ItemRef():
                kind = self._items.type(expr)
            case Collected():
                kind = list
            case OneOf(choices=(first, *_)):
                kind = self._type(first)
            case Pack():
                kind = expr.type
        return UNKNOWN if kind is None else kind

    def _native(self, expr: Expr) -> str | None:
        """The primitive type of a value that conditions and loops can read."""
        while isinstance(expr, OneOf) and expr.choices:
            expr = expr.choices[0]
        return None if isinstance(expr, (Collected, Pack)) else native_name(self._type(expr))

    def _phrase(self, expr: Expr) -> str:
        """Where a value comes from."""
        phrase = "a value"
        match expr:
            case OutputRef(task=id, output=name, path=path):
                phrase = f"`{name}{subscripts(path)}` of step `{self._tasks[id].step.name}`"
            case Constant(value=value) if type(value) in _PLAIN:
                phrase = f"{value!r:.40}"
            case ParameterRef(name=name, path=path):
                phrase = f"parameter `{name}{subscripts(path)}`"
            case ItemRef(path=path):
                phrase = f"`item{subscripts(path)}` of ParallelFor"
            case Collected():
                phrase = "a Collected"
            case OneOf(choices=(first, *_)):
                phrase = f"OneOf({self._phrase(first)}, …)"
            case Pack(type=kind):
                phrase = f"a {kind.__name__}"
        return phrase

    def items(self, loop: Loop) -> Iterator[Problem]:
        """A loop runs over a list that is a parameter, a native output, or part of an item."""
        expr = loop.items
        if isinstance(expr, Constant):
            return
        if isinstance(expr, Collected):
            hint = "Gather in a step annotated `-> list`, and run over its result."
            yield Problem("ParallelFor cannot run over a Collected directly", hint, loop.where)
            return
        if self._native(expr) != "list" and not self._is_unknown_item(expr):
            message = f"ParallelFor needs a list, and {self._phrase(expr)} is {self._known(expr)}"
            yield Problem(message, self._advice(expr, "list"), loop.where)

    def condition(self, condition: Expr, where: Where | None) -> Iterator[Problem]:
        """A condition compares primitives."""
        for expr in condition.walk():
            if isinstance(expr, Compare):
                yield from self._comparison(expr, where)

    def _comparison(self, expr: Compare, where: Where | None) -> Iterator[Problem]:
        natives = []
        for side in (expr.left, expr.right):
            if isinstance(side, Constant) and hasattr(side.value, "_k_expr"):
                return  # what a mistake left behind
            if self._is_unknown_item(side):
                continue
            native = self._native(side)
            if native not in _PRIMITIVES:
                phrase, known = self._phrase(side), self._known(side)
                message = f"a condition compares numbers, texts and bools, and {phrase} is {known}"
                yield Problem(message, self._advice(side, "float"), where)
                return
            natives.append(native)
        if len(natives) == 2 and len({native == "str" for native in natives}) == 2:
            yield Problem(
                f"{self._phrase(expr.left)} is {natives[0]} and {self._phrase(expr.right)} is "
                f"{natives[1]}, so `{expr.op}` cannot compare them",
                "Compare values of the same type.",
                where,
            )

    def _is_unknown_item(self, expr: Expr) -> bool:
        return isinstance(expr, ItemRef) and self._type(expr) is UNKNOWN

    def _known(self, expr: Expr) -> str:
        kind = self._type(expr)
        if isinstance(expr, Constant):
            return "none of these"
        if isinstance(expr, ItemRef):
            return spell(kind)
        return "not annotated as one" if kind is UNKNOWN else f"annotated as {spell(kind)}"

    def _advice(self, expr: Expr, wanted: str) -> str:
        """How to make a value one that conditions and loops can read."""
        example = "list" if wanted == "list" else "int, float, str or bool"
        if isinstance(expr, OutputRef):
            step = self._tasks[expr.task].step
            at = f" (at {step.where})" if step.where else ""
            if expr.path:
                return (
                    "Only whole results can be read here: return this part as a value of its own from "
                    f"`{step.name}`{at}, annotated as {example}."
                )
            output = self._tasks[expr.task].output(expr.output)
            returns = wanted
            if output.index is not None:
                arity = self._tasks[expr.task].arity or output.index + 1
                kinds = (wanted if index == output.index else "..." for index in range(arity))
                returns = f"tuple[{', '.join(kinds)}]"
            function = step.function.__name__ if isinstance(step, StepDef) else step.name
            return (
                f"Annotate what the step returns: `def {function}(...) -> {returns}:`{at}; "
                f"{'a list' if wanted == 'list' else example} can be read here."
            )
        if isinstance(expr, ParameterRef):
            if expr.path:
                return "Make this part a pipeline parameter of its own."
            usable = {"list"} if wanted == "list" else _PRIMITIVES
            parts = map(native_name, parts_of(self._parameters[expr.name].type))
            kind = next((native for native in parts if native in usable), wanted)
            parameter = self._parameters[expr.name]
            if type(None) in parts_of(parameter.type):
                return f"Annotate it as `{expr.name}: {kind}`, with a default that is not None."
            return f"Annotate the parameter: `{expr.name}: {kind}`."
        return f"Use {'a list' if wanted == 'list' else example}."

    def arguments(self, task: Task, step: StepDef) -> Iterator[Problem]:
        """Arguments whose type cannot be the one that the parameter is annotated with."""
        hints = self._hints.get(id(step))
        if hints is None:
            hints = self._hints[id(step)] = _parameter_hints(step)
        for name, value in task.arguments.items():
            wanted = hints.get(name, UNKNOWN)
            if wanted is UNKNOWN:
                continue
            parameter = step.signature.parameters[name]
            many = parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}
            for item in value.children() if many and isinstance(value, Pack) else (value,):
                yield from self._argument(task, name, item, wanted)

    def _argument(self, task: Task, name: str, value: Expr, wanted: Any) -> Iterator[Problem]:
        produced = self._type(value)
        another = False
        if isinstance(value, Constant) and produced in {str, int, bool} and takes_literals(wanted):
            another, produced = True, Literal[value.value]
        if self._agree(produced, wanted):
            return
        hint = "Make the two annotations agree, or convert the value inside a step."
        if isinstance(value, Constant):
            hint = "Pass another value, or change the annotation."
        if isinstance(value, OutputRef):
            producer = self._tasks[value.task].step
            if producer.where is not None and task.step.where is not None:
                hint = (
                    f"`{producer.name}` is defined at {producer.where}, `{task.step.name}` at "
                    f"{task.step.where}: make their annotations agree, or convert the value in a step."
                )
        yield Problem(
            f"step `{task.step.name}` takes `{name}: {spell(wanted)}`, and {self._phrase(value)} is "
            f"{'another value' if another else spell(produced)}",
            hint,
            task.where,
        )

    def _agree(self, produced: Any, wanted: Any) -> bool:
        if produced is UNKNOWN:
            return True
        try:
            known = self._fits.get((produced, wanted))
        except TypeError:  # an annotation that has no hash
            return fits(produced, wanted)
        if known is None:
            known = self._fits[produced, wanted] = fits(produced, wanted)
        return known


def _parameter_hints(step: StepDef) -> dict[str, Any]:
    """Annotations of the step's parameters; one with the default None may also be None."""
    hints = dict(hints_of(step.function))
    for name, parameter in step.signature.parameters.items():
        if parameter.default is None and name in hints:
            del hints[name]
    return hints
