"""What the two kinds of steps have in common: Python functions and containers."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterable, Mapping
from typing import Any, Self

from kalelite.authoring.trace.binding import Binder
from kalelite.errors import Problem
from kalelite.plan.graph import ContainerDef, Expr, StepDef
from kalelite.plan.options import StepOptions, merge


class CallableStep:
    """A step that a pipeline's body can call.

    ``problems`` are those of the definition, reported with every pipeline that calls the step;
    ``call_options`` and ``waits`` are of one call: its options, and what it waits for besides
    the values that it takes.
    """

    definition: StepDef | ContainerDef

    def __init__(
        self,
        definition: StepDef | ContainerDef,
        problems: Iterable[Problem],
        signature: inspect.Signature,
    ) -> None:
        self.definition = definition
        self.problems = tuple(problems)
        self.binder = Binder(signature)
        self.call_options: StepOptions | None = None
        self.waits: tuple[Any, ...] = ()

    @property
    def name(self) -> str:
        """What the step is called."""
        name = self.call_options.name if self.call_options is not None else None
        return name or self.definition.name

    def misuse(self, arguments: Mapping[str, Expr]) -> Iterable[Problem]:
        """What is wrong with the arguments of a call, besides what they do not fit."""
        del arguments
        return ()

    def after(self, *others: Any) -> Self:
        """The same step, waiting for others besides those it takes values from, for one call.

        ``train.after(prepared)(x)`` says the same as ``train(x, after=prepared)``, and type
        checkers understand it.
        """
        step = copy.copy(self)
        step.waits = (*self.waits, *others)
        return step

    def _with_options(self, options: StepOptions, problems: Iterable[Problem]) -> Self:
        """The same step with more options, and with what is wrong with them."""
        step = copy.copy(self)
        step.call_options = merge(StepOptions(), self.call_options or StepOptions(), options)
        step.problems = (*self.problems, *problems)
        return step

    def __deepcopy__(self, memo: Any) -> Self:
        return self
