"""What the block statements take: a condition, the items of a loop, the call of a handler."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from kalelite.authoring.trace import if_rewrite as rewrite
from kalelite.authoring.trace.arguments import to_expr
from kalelite.authoring.trace.misuse import subject
from kalelite.authoring.trace.proxies import OutputProxy, ValueProxy
from kalelite.authoring.trace.refs import Condition, Poison, Ref
from kalelite.plan.graph import Compare, Constant, Expr

if TYPE_CHECKING:
    from kalelite.authoring.trace.draft import TaskDraft
    from kalelite.authoring.trace.tracing import Trace
    from kalelite.errors import Where


def condition_of(trace: Trace, condition: object, where: Where) -> Expr:
    """The expression of an ``If``."""
    if isinstance(condition, Poison):
        return Constant(condition)
    if isinstance(condition, Condition):
        return condition._k_value
    if isinstance(condition, Ref):
        if condition._k_is_bool():
            return Compare("==", condition._k_expr(), Constant(True))
        trace.problem(
            "if-value",
            f"{subject(condition)} is no condition",
            "Compare it, as in `with If(value > 0):`; or, if it is true or false, annotate it as "
            "`bool` where it comes from.",
            where=where,
        )
        return Constant(Poison(trace))
    if not trace.has_problem_in(where):  # Python's own `and` was used in it, which is noted
        source = where.text[where.column : where.end_column]
        inner = source.partition("(")[2].removesuffix(")") or "..."
        meant = rewrite.without_is(inner)
        trace.problem(
            "if-constant",
            f"this condition is decided already: it is {condition!r:.60}",
            f"`is` looks at the stand-in, not at the value: write `with If({meant}):`."
            if meant
            else f"Write Python's own `if {inner}:`; If is for results of steps and pipeline parameters.",
            where=where,
        )
    return Constant(Poison(trace))


def items_of_loop(trace: Trace, items: object, where: Where) -> tuple[Expr, int | None]:
    """The items of a ``ParallelFor``, and how many values each can be unpacked into."""
    if isinstance(items, ValueProxy) and isinstance(items._k_value, Constant):
        items = items._k_value.value  # the constant that a nested pipeline was called with
    if isinstance(items, Ref):
        return to_expr(trace, items, "the list of ParallelFor"), None
    if not isinstance(items, (list, tuple, range)):
        message = f"ParallelFor runs over a list, and this is of type {type(items).__name__}"
        trace.problem("items", message, _listed(items), where=where)
        return Constant(()), None
    values = list(items)
    for value in values:
        wrong = _wrong_item(value)
        if wrong is not None:
            trace.problem("items", *wrong, where=where)
            return Constant([]), None
    widths = {len(value) for value in values if isinstance(value, list)}
    alike = len(widths) == 1 and all(isinstance(value, list) for value in values)
    return to_expr(trace, values, "the list of ParallelFor"), widths.pop() if alike else None


def _listed(items: object) -> str:
    """How a list is made of what is none."""
    if isinstance(items, int) and not isinstance(items, bool):
        return f"To run that many times, write `ParallelFor(range({items}))`."
    if isinstance(items, str):
        return f"For its letters, write `ParallelFor(list(...))`; for one item, `[{items!r:.40}]`."
    if isinstance(items, Mapping):
        return "For its keys, write `ParallelFor(list(...))`; for pairs, `[[key, value], ...]`."
    if hasattr(items, "tolist"):
        return "Make it a list: `ParallelFor(....tolist())`."
    if isinstance(items, Iterable):
        return "Make it a list: `ParallelFor(list(...))`."
    return "Give it a list, such as `ParallelFor([1, 2, 3])`."


def _wrong_item(value: object) -> tuple[str, str] | None:
    """What is wrong with an item, and what to write instead."""
    if isinstance(value, Ref):
        return (
            "ParallelFor runs over a list that is known, or over one result that is a list",
            "Write a Python `for` over these results, which makes a step for each; or gather them in a step annotated `-> list`, and run over its result.",
        )
    wrong = "None" if value is None else _not_plain(value)
    if wrong is None:
        return None
    return (
        f"an item of ParallelFor is {wrong}",
        "Items are numbers, texts, bools, and lists or dicts of these. For other values, write a Python `for`, which makes a step for each.",
    )


def _not_plain(value: Any) -> str | None:
    """What a value is if it is not one that travels as a parameter, or in one."""
    if isinstance(value, float) and not math.isfinite(value):
        return f"{value!r}, which is no number"
    if value is None or type(value) in {bool, int, float, str}:
        return None
    if type(value) is dict and not all(type(key) is str for key in value):
        return "a dict with keys that are no texts"
    if type(value) in {list, dict}:
        inside = value.values() if isinstance(value, dict) else value
        return next((wrong for item in inside if (wrong := _not_plain(item))), None)
    return "a tuple; write a list" if type(value) is tuple else f"a {type(value).__name__}"


def handler_of(trace: Trace, handler: Any, where: Where) -> TaskDraft | None:
    """The task that an ``ExitHandler`` runs at the end."""
    if isinstance(handler, Poison):
        return None
    if not isinstance(handler, OutputProxy) or handler._k_trace is not trace:
        name = getattr(handler, "name", None)
        hint = "Write `with ExitHandler(clean_up(...)):` with a step of yours."
        if isinstance(name, str):
            hint = f"Write `with ExitHandler({name}(...)):`."
        trace.problem("handler", "ExitHandler takes the call of a step", hint, where=where)
        return None
    draft = handler._k_draft
    if draft.is_handler:
        message = f"step `{draft.step.name}` is the handler of another block already"
        hint = f"Call it again: `with ExitHandler({draft.step.name}(...)):`."
        trace.problem("handler", message, hint, where=where)
        return None
    return draft
