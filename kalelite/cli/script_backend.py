"""What receives the pipelines that a script calls: it stands in front of the backend."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from kalelite.authoring.backends import Backend, Listener, Result
from kalelite.authoring.pipeline import pipelines_of
from kalelite.cli.choose import arguments_of, known_names
from kalelite.plan.graph import Parameter, Plan


class Act(Protocol):
    """What is done with a plan and the values of its parameters."""

    def __call__(self, plan: Plan, arguments: Mapping[str, Any], resume: str = "") -> Result | None:
        """Do it; without a result the script stops. ``resume`` is a run that the call names."""


class StopScript(BaseException):
    """Raised inside the script's call of a pipeline when nothing after it should run.

    It is no Exception, so that a script which catches those does not go on without a result.
    """

    def __init__(self, plan: Plan) -> None:
        super().__init__("the script is not needed any more")
        self.plan = plan


class ScriptBackend(Backend):
    """Adds the values from the command line to each call, and does what the command asks.

    Parameters
    ----------
    act
        Is called for each pipeline, for one at a time.
    given
        Parameter values from the command line, as text; they go before those of the call.
    only
        The name of the one pipeline that may be called; another one's call stops the script.
    """

    name = "script"

    def __init__(self, act: Act, given: Mapping[str, str], only: str | None = None) -> None:
        self.calls = 0
        self._act = act
        self._given = given
        self._only = only
        self._one_at_a_time = threading.RLock()

    def fixed(self, parameters: Sequence[Parameter]) -> dict[str, Any]:
        """The values from the command line for these parameters, converted."""
        known_names((p for each in pipelines_of() for p in each.parameters), self._given)
        mine = [parameter for parameter in parameters if parameter.name in self._given]
        return arguments_of(mine, self._given)

    def run(
        self, plan: Plan, arguments: Mapping[str, Any], listener: Listener | None = None
    ) -> Result:
        """Do with the plan what was asked for."""
        del listener  # the command has its own
        return self.act(plan, arguments)

    def act(self, plan: Plan, arguments: Mapping[str, Any], resume: str = "") -> Result:
        """Do with the plan what was asked for; ``resume`` is a run that the call names."""
        if not self._is_meant(plan):
            raise StopScript(plan)
        self.calls += 1
        with self._one_at_a_time:
            result = self._act(plan, arguments, resume)
        if result is None:
            raise StopScript(plan)
        return result

    def resuming(self, run: str) -> Backend:
        """The same, for a call that names a run to go on with."""
        return _Resuming(self, run)

    def _is_meant(self, plan: Plan) -> bool:
        if self._only in {None, plan.name}:
            return True
        named = (p.name for p in pipelines_of() if getattr(p, "__name__", None) == self._only)
        return plan.name in named


class _Resuming(Backend):
    """A `ScriptBackend` for one call that names a run to go on with."""

    name = "script"

    def __init__(self, backend: ScriptBackend, resume: str) -> None:
        self._backend = backend
        self._resume = resume

    def fixed(self, parameters: Sequence[Parameter]) -> Mapping[str, Any]:
        return self._backend.fixed(parameters)

    def run(
        self, plan: Plan, arguments: Mapping[str, Any], listener: Listener | None = None
    ) -> Result:
        del listener
        return self._backend.act(plan, arguments, self._resume)
