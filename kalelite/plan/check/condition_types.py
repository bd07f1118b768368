"""What conditions and loops may read, and annotations that cannot both be right."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

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

__all__ = ["check_types"]

_PRIMITIVES = frozenset({"int", "float", "str", "bool"})
_PLAIN = frozenset({bool, bytes, dict, float, int, list, set, str, tuple, type(None)})


class _Origin(NamedTuple):
    """Where a value comes from, as a phrase; its type; its primitive type."""

    phrase: str
    type: Any
    native: str | None


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

    def source(self, expr: Expr) -> _Origin:  # noqa: PLR0911 - one for each kind of expression
        """What is known of a value."""
        match expr:
            case OutputRef(task=id, output=name, path=path):
                task = self._tasks[id]
                output = task.output(name)
                kind = UNKNOWN if path or output.type is None else output.type
                phrase = f"`{name}{subscripts(path)}` of step `{task.step.name}`"
                return _Origin(phrase, kind, None if path else output.native)
            case ParameterRef(name=name, path=path):
                kind = self._parameters[name].type
                kind = UNKNOWN if path or kind is None else kind
                phrase = f"parameter `{name}{subscripts(path)}`"
                return _Origin(phrase, kind, native_name(kind) if kind is not UNKNOWN else None)
            case ItemRef(path=path):
                kind = self._items.type(expr)
                return _Origin(f"`item{subscripts(path)}` of ParallelFor", kind, native_name(kind))
            case Constant(value=value) if type(value) in _PLAIN:
                return _Origin(f"{value!r:.40}", type(value), native_name(type(value)))
            case Collected():
                return _Origin("a Collected", list, None)
            case OneOf(choices=choices) if choices:
                first = self.source(choices[0])
                return _Origin(f"OneOf({first.phrase}, …)", first.type, first.native)
            case Pack(type=kind):
                return _Origin(f"a {kind.__name__}", kind, None)
        return _Origin("a value", UNKNOWN, None)

    def _type(self, expr: Expr) -> Any:
        """The type of a value, `UNKNOWN` if nothing says it; quicker than all of `source`."""
        if isinstance(expr, OutputRef):
            if expr.path:
                return UNKNOWN
            for output in self._tasks[expr.task].outputs:
                if output.name == expr.output:
                    return UNKNOWN if output.type is None else output.type
        if isinstance(expr, Constant):
            kind = type(expr.value)
            return kind if kind in _PLAIN else UNKNOWN
        return self.source(expr).type

    def items(self, loop: Loop) -> Iterator[Problem]:
        """A loop runs over a list that is a parameter, a native output, or part of an item."""
        expr = loop.items
        if isinstance(expr, Constant):
            return
        if isinstance(expr, Collected):
            hint = "Gather in a step annotated `-> list`, and run over its result."
            yield Problem("ParallelFor cannot run over a Collected directly", hint, loop.where)
            return
        source = self.source(expr)
        if source.native == "list" or (isinstance(expr, ItemRef) and source.type is UNKNOWN):
            return
        message = f"ParallelFor needs a list, and {source.phrase} is {self._known(expr, source)}"
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
            source = self.source(side)
            if isinstance(side, ItemRef) and source.type is UNKNOWN:
                continue
            if source.native not in _PRIMITIVES:
                known = self._known(side, source)
                message = (
                    f"a condition compares numbers, texts and bools, and {source.phrase} is {known}"
                )
                yield Problem(message, self._advice(side, "float"), where)
                return
            natives.append(source)
        if len(natives) == 2 and len({source.native == "str" for source in natives}) == 2:
            left, right = natives
            yield Problem(
                f"{left.phrase} is {left.native} and {right.phrase} is {right.native}, so "
                f"`{expr.op}` cannot compare them",
                "Compare values of the same type.",
                where,
            )

    def _known(self, expr: Expr, source: _Origin) -> str:
        if isinstance(expr, Constant):
            return "none of these"
        if isinstance(expr, ItemRef):
            return spell(source.type)
        if source.type is UNKNOWN:
            return "not annotated as one"
        return f"annotated as {spell(source.type)}"

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
        source = None
        if isinstance(value, Constant) and produced in {str, int, bool} and takes_literals(wanted):
            produced = Literal[value.value]
            source = _Origin(f"{value.value!r:.40}", "another value", None)
        if self._agree(produced, wanted):
            return
        source = source or self.source(value)
        origin = value
        hint = "Make the two annotations agree, or convert the value inside a step."
        if isinstance(value, Constant):
            hint = "Pass another value, or change the annotation."
        if isinstance(origin, OutputRef):
            producer = self._tasks[origin.task].step
            if producer.where is not None and task.step.where is not None:
                hint = (
                    f"`{producer.name}` is defined at {producer.where}, `{task.step.name}` at "
                    f"{task.step.where}: make their annotations agree, or convert the value in a step."
                )
        yield Problem(
            f"step `{task.step.name}` takes `{name}: {spell(wanted)}`, and {source.phrase} is "
            f"{source.type if isinstance(source.type, str) else spell(source.type)}",
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
