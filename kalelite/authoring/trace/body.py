"""Running a pipeline's body once, with stand-ins, to see which steps it calls."""

from __future__ import annotations

import inspect
import re
import traceback
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from types import CodeType, TracebackType
from typing import Any

from kalelite.authoring.definition import PipelineDefinition, signature_of
from kalelite.authoring.trace.arguments import to_expr, wait_for
from kalelite.authoring.trace.binding import misfit
from kalelite.authoring.trace.misuse import subject
from kalelite.authoring.trace.proxies import ValueProxy
from kalelite.authoring.trace.refs import MARK, Poison, Ref
from kalelite.authoring.trace.threads import watched
from kalelite.authoring.trace.tracing import Trace, is_own_code
from kalelite.errors import PipelineError, Problem, UsageError, Where
from kalelite.plan.graph import Constant, Expr, Group, Parameter, ParameterRef, Plan
from kalelite.plan.names import slug
from kalelite.plan.options import StepOptions, merge
from kalelite.plan.order import in_call_order
from kalelite.plan.types.convert import convert
from kalelite.plan.types.fit import fits
from kalelite.plan.types.hints import UNKNOWN, spell
from kalelite.source import locations as places

# An exception whose text names a stand-in was raised over an output.
_STAND_IN = re.compile(rf"{MARK}|\b(Output|Value)Proxy\b|\bPoison\b")


def trace_body(pipeline: PipelineDefinition) -> tuple[Plan, list[Problem]]:
    """The plan that the body of a pipeline makes, and what is wrong in it."""
    trace = Trace(pipeline.name)
    trace.defaults = pipeline.options.defaults
    values = {p.name: _parameter(trace, p) for p in pipeline.parameters}
    result: Expr | None = None
    returns: Where | None = None
    with trace.active(), watched(trace):
        returned = _run(trace, pipeline, values)
        if returned is not None:
            returns = places.of_return(inspect.unwrap(pipeline.__wrapped__))
            trace.ended_at = returns or pipeline.where
            result = to_expr(trace, returned, "the pipeline's result")
    for name, place in trace.unused.values():
        trace.problem(
            "unused",
            f"{name}(...) does nothing by itself",
            f"Open a block with it: `with {name}(...):`",
            where=place,
        )
    plan = Plan(
        name=pipeline.name,
        tasks=tuple(draft.finish() for draft in trace.tasks),
        blocks=tuple(trace.blocks),
        parameters=pipeline.parameters,
        result=result,
        options=pipeline.options,
        description=pipeline.description,
        where=pipeline.where,
        result_where=returns,
    )
    return in_call_order(plan, trace.ordered), list(trace.problems.values())


def _parameter(trace: Trace, parameter: Parameter) -> ValueProxy:
    hint = UNKNOWN if parameter.type is None else parameter.type
    return ValueProxy(trace, ParameterRef(parameter.name), hint=hint)


def nest(
    trace: Trace,
    pipeline: PipelineDefinition,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    where: Where,
) -> Any:
    """Trace a pipeline that is called in the body of another, as a group of its own."""
    if pipeline in trace.pipelines:
        trace.problem(
            "recursion",
            f"pipeline `{pipeline.name}` calls itself",
            "A pipeline is put together before anything runs, so it cannot recurse: write the steps "
            "out, or put the recursion into a step.",
            where=where,
        )
        return Poison(trace)
    trace.adopt(pipeline.problems)
    signature = signature_of(pipeline.__wrapped__)
    kwargs = dict(kwargs)
    waits = kwargs.pop("after", None) if "after" not in signature.parameters else None
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError as error:
        wrong, meant = misfit(signature, kwargs, error)
        trace.problem(
            "arguments",
            f"pipeline `{pipeline.name}` cannot be called like this: {wrong}",
            f"{meant} It is defined as `{pipeline.__wrapped__.__name__}{signature}`.".lstrip(),
            where=where,
        )
        return Poison(trace)
    values = _arguments(trace, pipeline, bound, where)
    before = wait_for(trace, [waits])
    group = Group(trace.new_id(slug(pipeline.name)), trace.parent, where, name=pipeline.name)
    if pipeline.options.order == "calls":
        trace.ordered.add(group.id)
    outer = trace.defaults
    if pipeline.options.defaults != StepOptions():
        trace.set_defaults(merge(outer, pipeline.options.defaults, StepOptions()))
    trace.open(group)
    first = len(trace.tasks)
    returned = _run(trace, pipeline, values)
    trace.close(group)
    trace.set_defaults(outer)
    for draft in trace.tasks[first : first + 1]:
        draft.after.extend(before)  # a wait that crosses into a block is one of the whole block
    if returned is None:
        text = f"the result of pipeline `{pipeline.name}`"
        return ValueProxy(trace, Constant(None), text, tasks=(group.id,))
    return returned


def _arguments(
    trace: Trace, pipeline: PipelineDefinition, bound: inspect.BoundArguments, where: Where
) -> dict[str, Ref]:
    """Arguments of a nested pipeline: as unknown to its body as they are at the top."""
    given = set(bound.arguments)
    bound.apply_defaults()
    types = {parameter.name: parameter.type for parameter in pipeline.parameters}
    values: dict[str, Ref] = {}
    for name, value in bound.arguments.items():
        wanted = types.get(name)
        try:
            values[name] = _argument(trace, name, value, wanted)
        except UsageError as error:
            if name in given:  # what is wrong with a default is noted already
                message = f"pipeline `{pipeline.name}` cannot be called like this: {error.message}"
                trace.problem(f"argument-{name}", message, error.hint, where=where)
            values[name] = Poison(trace)
    return values


def _argument(trace: Trace, name: str, value: Any, wanted: Any) -> Ref:
    """The stand-in for an argument, of the type that the parameter is annotated with."""
    if isinstance(value, Ref):
        found = value._k_type()
        if not fits(found, wanted):
            message = (
                f"`{name}` is annotated as {spell(wanted)}, and {subject(value)} is {spell(found)}"
            )
            raise UsageError(message, hint="Make the two agree, or convert the value in a step.")
        return value
    expr = to_expr(trace, value, f"argument `{name}`")
    if isinstance(expr, Constant) and not isinstance(expr.value, Poison):
        expr = Constant(convert(expr.value, wanted, name=name))
    return ValueProxy(trace, expr, f"`{name}`, a parameter of the pipeline")


def _run(trace: Trace, pipeline: PipelineDefinition, values: dict[str, Any]) -> Any:
    """Call the body; an exception of the user's own becomes a problem."""
    function = pipeline.__wrapped__
    inner = inspect.unwrap(function)
    code = getattr(inner, "__code__", None)
    trace.pipelines.append(pipeline)
    parents = list(trace.parents)
    bound = inspect.BoundArguments(signature_of(function), OrderedDict(values))
    try:
        with trace.body(code):
            return function(*bound.args, **bound.kwargs)
    except PipelineError as error:
        trace.adopt(error.problems)
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:  # `sys.exit` in a body ends no script that has not run anything
        if _is_our_own(error):
            raise
        _report(trace, error, code)
    finally:
        trace.parents[:] = parents
        trace.pipelines.pop()
    return None


def _report(trace: Trace, error: BaseException, code: CodeType | None) -> None:
    """The problem for an exception that left the body, at the body's line."""
    frames = list(_frames(error.__traceback__))
    inside = [frame for frame in frames if frame[0].tb_frame.f_code is code] or frames
    where = inside[-1][1]
    if trace.has_problem_in(where):
        return  # what went wrong before in this line is the cause of it
    last = frames[-1][1]
    name = type(error).__name__
    text = str(error)
    message = f"{name}: {text}" if text else name
    if last != where:
        message += f" (raised at {last})"
    hint = "The body of a pipeline runs once, before any step; this was raised while it ran."
    if _STAND_IN.search(text):
        hint = "An output has no value yet; do this inside the step that takes it."
    if isinstance(error, UnboundLocalError) and (found := re.search("'(.+?)'", text)):
        hint = (
            f"`{found[1]}` is assigned in this body, so Python takes it for a local variable everywhere "
            f"in it. Give the result another name: `{found[1]}_result = {found[1]}(...)`."
        )
    trace.problem("raised", message, hint, where=where)


def _frames(link: TracebackType | None) -> Iterator[tuple[TracebackType, Where]]:
    while link is not None:
        frame = link.tb_frame
        if not is_own_code(frame.f_globals):
            line = link.tb_lineno
            yield link, places.of_instruction(frame.f_code, link.tb_lasti, line, frame.f_globals)
        link = link.tb_next


def _is_our_own(error: BaseException) -> bool:
    """Whether the exception is a fault of this package, and not of the body."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    namespace = frame.f_globals
    # Stand-ins raise where Python wants an exception, such as for a missing attribute.
    stand_ins = {"kalelite.authoring.trace.refs", "kalelite.authoring.trace.operators"}
    return is_own_code(namespace) and namespace.get("__name__") not in stand_ins
