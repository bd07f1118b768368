"""What cannot be meant in a pipeline's body: one sentence for each, and what to write instead."""

from __future__ import annotations

from typing import Any, Protocol

from kalelite.authoring.trace import if_rewrite as rewrite
from kalelite.authoring.trace.tracing import Trace, UserPlace, current
from kalelite.errors import PipelineError, Problem
from kalelite.source.libraries import is_library

# kind -> (what is wrong, what to write instead). {subject}, {value}: what the value is; {code}: the
# user's expression; the other names are details of the kind.
_SENTENCES = {
    "arithmetic": (
        "{subject} has no value yet, so `{symbol}` cannot compute with it here",
        "Compute it in a step: put `{code}` into the step that takes it, or into one of its own.",
    ),
    "logic": (
        "`{symbol}` joins conditions, and {subject} is none",
        "Put each comparison in brackets, as in `(a > 3) {symbol} (b < 5)`; compute with values inside a step.",
    ),
    "negation": (
        "`~` negates a condition, and {subject} is none",
        "Negate a comparison, as in `~(a > 3)`, or the result of a step annotated `-> bool`.",
    ),
    "convert": (
        "{subject} has no value yet, so {name}() cannot read it here",
        "Do it inside the step that takes the value: put `{code}` there.",
    ),
    "text": (
        "{subject} has no value yet, so there is no text of it",
        "Print or format it inside a step that takes it: put `{code}` there.",
    ),
    "type": (
        "{subject} has no value yet, so its type is not known here",
        "Look at its type inside the step that takes it: put `{code}` there.",
    ),
    "contains": (
        "`in` cannot look into {value}: it has no value yet",
        "Put `{code}` into a step that returns a bool, and use its result in `with If(...):`.",
    ),
    "call": (
        "{subject} is called like a function",
        "If a step was meant: its name now stands for its result. Give the result another name, as in `result = step(...)`.",
    ),
    "assign": (
        "{subject} cannot be changed here: it has no value yet",
        "Change it inside a step, and return the changed value.",
    ),
    "with": (
        "{subject} is no context manager",
        "Open it inside a step that takes it.",
    ),
    "await": (
        "{subject} cannot be awaited",
        "A step's result can be passed on as it is: leave out `await` and `async`.",
    ),
    "attribute": (
        "{subject} has no value yet, so it has no attribute `{name}` here",
        "Write `{code}` inside the step that takes the value, or return it from the step that makes it.",
    ),
    "output": (  # as KFP has it, and the next one
        "{subject} has no attribute `{name}`: it is the value itself",
        "Pass `{whole}` itself: what a step returns is its output.",
    ),
    "task": (
        "{subject} is a value and no task of KFP, so there is no `{name}`",
        "Such things are options: `@step(cpu=2, memory='4Gi', retries=3)`, or `some_step.options(cpu=2)(...)`.",
    ),
    "field": (
        "{subject} has no field `{name}`",
        "Its fields are {fields}.",
    ),
    "slice": (
        "{subject} can be selected from by one number or name only",
        "Write `[0]` or `['key']`, or put `{code}` into a step.",
    ),
    "select": (
        "{subject} cannot be selected from here",
        "Pass it on as it is, and select in the step that takes it.",
    ),
    "missing": (
        "{subject} has no part [{key!r}]",
        "Look at the value that the pipeline is called with.",
    ),
    "range": (
        "{subject} has {count} values; there is no number {index}",
        "Its values are [0] to [{last}].",
    ),
    "star": (
        "{subject} cannot be unpacked with a star: how many values there are is not known yet",
        "Keep it whole, `values = step(...)`, and unpack it in the step that takes it; or give each value a name.",
    ),
    "unpack-one": (
        "{subject} cannot be unpacked here: how many values it holds is known only when the pipeline runs",
        "Select its parts, as in `value[0]`, or unpack it in the step that takes it.",
    ),
    "iterate": (
        "{subject} cannot be looped over: it has no value yet",
        "To run steps for each item, write `with ParallelFor(...) as item:`; otherwise loop inside the step that takes it.",
    ),
    "spread": (
        "{subject} cannot be spread with `*`, `**`, list(), dict() or the like: it has no value yet",
        "Pass it on as it is, and take it apart in the step that takes it.",
    ),
    "unseen": (
        "{subject} is taken apart here, and into how many values Python {version} does not tell",
        "Annotate what the step returns, as in `-> tuple[list, int]`, or keep the result whole and select its parts: `result[0]`, `result[1]`.",
    ),
    "condition": (
        "a comparison is no value that a step could take",
        "Compare inside a step that returns a bool, or use it in `with If(...):`.",
    ),
    "chain": (
        "comparisons of outputs cannot be compared or chained",
        "Write two comparisons, as in `(1 < x) & (x < 3)`.",
    ),
    "stale": (
        "{subject} belongs to another pipeline, or to one that is already put together",
        "Use it in the pipeline whose step made it; pass values into a nested pipeline as arguments.",
    ),
    "after": (
        "{subject} is not the result of a step, so it cannot wait for one",
        "Call `.after()` on the result of a step, or write `step(..., after=[...])`.",
    ),
}


class MisusedValue(Protocol):
    """What is asked of a value that does not exist yet."""

    @property
    def _k_trace(self) -> Trace: ...
    def _k_phrase(self) -> str: ...
    def _k_note(self, kind: str, **details: Any) -> object: ...
    def _k_is_silent(self) -> bool: ...
    def _k_is_bool(self) -> bool: ...


class HiddenRefError(Exception):
    """An output was found where the plan cannot see it, inside a user's object."""


def note(ref: MisusedValue, kind: str, **details: Any) -> None:
    """Note that ``ref`` was used in the way of ``kind``, at the place of the user's code."""
    trace = current()
    if trace is not ref._k_trace:
        kind = "stale"
    place = (trace or ref._k_trace).place()
    if place.helper is not None and kind not in {"stale", "after"}:
        _note_helper(ref, place)
        return
    name = str(details.get("name", ""))
    if kind == "attribute" and name in {"output", "outputs"}:
        kind = "output"
    elif kind == "attribute" and name.startswith(("set_", "add_", "ignore_upstream")):
        kind = "task"
    message, hint = _SENTENCES[kind]
    fill = {
        "subject": subject(ref),
        "value": ref._k_phrase(),
        "code": (code := _segment(place, kind)),
        "whole": code.partition(f".{name}")[0],
        **details,
    }
    problem = Problem(message.format(**fill), hint.format(**fill), place.where)
    if trace is None:
        raise PipelineError(problem)
    # `[*ref]` asks for the length, too.
    if details.get("name") != "len" or not trace.has_problem("spread", place.where):
        trace.problem(kind, problem.message, problem.hint, where=place.where)


def subject(ref: MisusedValue) -> str:
    """What the value is, before a verb: with a comma if it ends in an apposition."""
    phrase = ref._k_phrase()
    return f"{phrase}," if ", " in phrase else phrase


def _note_helper(ref: MisusedValue, place: UserPlace) -> None:
    """A function that is no step, called in the body, took the value and worked with it."""
    frame = place.helper
    assert frame is not None
    name = _helper_name(ref, frame)
    message = f"`{name}` is no step, but it works with {ref._k_phrase()}"
    hint = f"Call it inside a step: put `{_segment(place)}` there."
    if not is_library(frame.f_code.co_filename):
        message += f" ({frame.f_code.co_filename}:{frame.f_lineno})"
        hint = f"Decorate `{name}` with @step, or call it inside a step."
        if "." in name or "<" in name:  # a method, a function in a function, a lambda
            hint = f"Call it inside a step: put `{_segment(place)}` into a function with @step."
    ref._k_trace.problem("helper", message, hint, where=place.where)


def _helper_name(ref: MisusedValue, frame: Any) -> str:
    """The function that the body itself called, on the way to the frame."""
    bodies = ref._k_trace.body_codes()
    while frame.f_back is not None and frame.f_back.f_code not in bodies:
        frame = frame.f_back
    code = frame.f_code
    return str(getattr(code, "co_qualname", code.co_name)).replace("<locals>.", "")


def _segment(place: UserPlace, kind: str = "") -> str:
    """The user's expression at a place, or an ellipsis."""
    where = place.where
    if where.column is None or where.end_column is None:
        return where.text.strip() or "…"
    text = where.text[where.column : where.end_column].strip() or "…"
    # Since Python 3.12 the place inside an f-string is the part in braces.
    braced = kind == "text" and text.startswith("{") and text.endswith("}")
    return f'f"{text}"' if braced else text


def truth(ref: MisusedValue) -> bool:
    """An output was used as a condition of Python's own ``if``, ``while``, ``and``, …"""
    trace = ref._k_trace
    if current() is not trace:
        note(ref, "truth")
        return True
    place = trace.place()
    taken = trace.branch_taken(place.frame)
    if place.helper is not None:
        ref._k_note("truth")
        return taken
    if ref._k_is_silent():
        return taken
    advice = rewrite.condition(place, is_bool=ref._k_is_bool())
    message = f"{subject(ref)} has no value yet, so {advice.what} cannot decide here"
    trace.problem("truth", message, advice.hint, where=advice.where)
    return taken
