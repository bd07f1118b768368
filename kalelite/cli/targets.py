"""Where the calls of pipelines in a script go: they are run, compiled, or only looked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kalelite.authoring.trace import pipelines_of
from kalelite.cli.choose import arguments_of, known_names
from kalelite.plan.graph import Parameter, Plan

if TYPE_CHECKING:
    from kalelite.authoring.pipeline import Pipeline

__all__ = ["Act", "FaceTarget", "StopScript"]

Act = Callable[[Plan, Mapping[str, Any]], Any]
"""What is done with a plan and the values of its parameters; the result is the call's value."""


class StopScript(BaseException):
    """Raised inside the script's call of a pipeline when nothing after it should run.

    It is no Exception, so that a script which catches those does not go on without a result.
    """

    def __init__(self, pipeline: Pipeline[..., Any]) -> None:
        super().__init__("the script is not needed any more")
        self.pipeline = pipeline


class FaceTarget:
    """Receives the pipelines that the script calls.

    Parameters
    ----------
    act
        Is called for each of them; None stops the script at the first call.
    given
        Parameter values from the command line, as text; they go before those of the call.
    only
        The name of the one pipeline that may be called; another one's call stops the script.
    stop_after
        The call has no value, so that nothing after it can run: stop the script there.
    """

    def __init__(
        self,
        act: Act | None,
        given: Mapping[str, str],
        only: str | None = None,
        *,
        stop_after: bool = False,
    ) -> None:
        self.stop_after = stop_after
        self.act = act
        self.given = given
        self.only = only
        self.calls = 0

    def fixed(self, parameters: Sequence[Parameter]) -> dict[str, Any]:
        """The values from the command line for these parameters, converted."""
        known_names(pipelines_of(), self.given)
        mine = [parameter for parameter in parameters if parameter.name in self.given]
        return arguments_of(mine, self.given)

    def run(self, pipeline: Pipeline[..., Any], plan: Plan, arguments: Mapping[str, Any]) -> Any:
        """Do with the plan what was asked for."""
        wanted = self.only in {None, pipeline.name, getattr(pipeline, "__name__", None)}
        if self.act is None or not wanted:
            raise StopScript(pipeline)
        self.calls += 1
        value = self.act(plan, arguments)
        if self.stop_after:
            raise StopScript(pipeline)
        return value
