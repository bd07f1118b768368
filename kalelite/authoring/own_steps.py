"""Steps that kalelite itself brings: called in a pipeline's body they are tasks as any other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from kalelite.authoring.definition import signature_of
from kalelite.authoring.step import Step
from kalelite.errors import Problem
from kalelite.executor import own_functions
from kalelite.plan.graph import Constant, Expr, StepDef
from kalelite.plan.options import StepOptions

_Check = Callable[[Mapping[str, Any]], Iterator[Problem]]
"""What is wrong with the arguments of a call that are constants, by name."""


class OwnStep(Step[..., Any]):
    """A step whose function is kalelite's; its result is never taken from an earlier run."""

    def __init__(self, function: Callable[..., Any], check: _Check) -> None:
        summary = (function.__doc__ or "").partition("\n")[0]
        options = StepOptions(cache=False)
        signature = signature_of(function)
        super().__init__(StepDef(function.__name__, function, signature, summary, options))
        self._check = check

    def misuse(self, arguments: Mapping[str, Expr]) -> Iterator[Problem]:
        """What is wrong with a call."""
        if self.call_options is not None and self.call_options.cache:
            yield Problem(
                f"{self.definition.name} is no step whose result could be kept",
                "Leave out cache=True: it is done in every run.",
            )
        given = {name: each.value for name, each in arguments.items() if isinstance(each, Constant)}
        yield from self._check(given)


def _check_snapshot(given: Mapping[str, Any]) -> Iterator[Problem]:
    volume = given.get("volume", "workspace")
    if not isinstance(volume, str) or not volume.strip():
        yield Problem(
            f"snapshot takes the name of a volume, not {volume!r:.60}",
            "Write snapshot('workspace', after=...), or the path of a folder.",
        )


if TYPE_CHECKING:

    class _Snapshot(OwnStep):
        def __call__(self, volume: str = "workspace", *, after: object = None) -> str: ...


snapshot: _Snapshot = OwnStep(own_functions.snapshot, _check_snapshot)  # type: ignore[assignment]
"""`kalelite.executor.own_functions.snapshot` as a step."""
