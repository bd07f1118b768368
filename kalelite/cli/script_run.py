"""A script with pipelines, run to its end or up to its first call of one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

from kalelite.authoring.backends import use_backend
from kalelite.authoring.pipeline import pipelines_of
from kalelite.cli.choose import arguments_of, choose, known_names, pipelines_meant
from kalelite.cli.program import Program, open_program
from kalelite.cli.script_backend import Act, ScriptBackend, StopScript
from kalelite.display.error_view import ScriptRaisedError, exception_lines, is_ours
from kalelite.errors import ExitCode, KaleliteError, PipelineError, Problem, ScriptError, Where
from kalelite.frozen import frozen
from kalelite.source.script import ScriptExit

if TYPE_CHECKING:
    from kalelite.authoring.pipeline import Pipeline
    from kalelite.cli.command import Command
    from kalelite.cli.run_view import RunView
    from kalelite.plan.graph import Plan


@frozen
class Opened:
    """A script that ran: its pipelines, and how it ended.

    ``called`` is the plan of the call that stopped it, ``problems`` what is wrong with that call.
    """

    script: Program
    pipelines: tuple[Pipeline[..., Any], ...]
    ended: ScriptExit
    called: Plan | None = None
    problems: tuple[Problem, ...] = ()


def run_script(command: Command, script: Program, act: Act, view: RunView) -> int:
    """Run the script, and do with the pipelines that it calls, or with its one, what `act` does.

    Where `act` gives no result the script stops at its first call. Returns the exit code.
    """
    try:
        with script.as_main(command.script_args) as module:
            return _run_pipelines(command, script, module, act, view)
    except BaseException as error:
        if error is not view.shown:
            raise
        return view.status
    finally:
        view.close()


def _run_pipelines(
    command: Command, script: Program, module: ModuleType, act: Act, view: RunView
) -> int:
    only, given = command.options.pipeline, command.options.parameters
    known = pipelines_of()
    backend = ScriptBackend(act, given, only)
    try:
        ended = _execute(script, module, backend, command.err.width, view)
    except StopScript:
        ended = ScriptExit()
    if backend.calls:
        if isinstance(ended.code, str):
            command.err.line(ended.code)
        return ended.status or view.status
    _refuse_early_exit(script, ended)
    pipelines = pipelines_meant(script, module, known)
    if not pipelines and _was_help(script, ended, command.script_args):
        return ExitCode.OK
    found = choose(pipelines, only, script.name)
    known_names(found.parameters, given)
    plan = found.plan()
    with use_backend(backend):
        act(plan, arguments_of(plan.parameters, given))
    return view.status


@contextmanager
def opened(command: Command) -> Iterator[Opened]:
    """Run a script up to its first call of a pipeline, to look at what it defines."""
    script = open_program(command)
    with script.as_main(command.script_args) as module:
        known = pipelines_of()
        called: Plan | None = None
        problems: tuple[Problem, ...] = ()
        ended = ScriptExit()
        try:
            ended = _execute(script, module, ScriptBackend(_no_act, {}), command.err.width)
        except StopScript as stop:
            called = stop.plan
        except PipelineError as error:
            problems = error.problems
        _refuse_early_exit(script, ended)
        pipelines = tuple(pipelines_meant(script, module, known))
        if command.options.pipeline is not None:
            pipelines = (choose(pipelines, command.options.pipeline, script.name),)
        yield Opened(script, pipelines, ended, called, problems)


def _no_act(plan: Plan, arguments: Mapping[str, Any], resume: str = "") -> None:
    """Nothing is done: the script stops at its first call."""


def _execute(
    script: Program,
    module: ModuleType,
    backend: ScriptBackend,
    width: int | None,
    view: RunView | None = None,
) -> ScriptExit:
    """Run the script's code; what it raises is shown as the user's mistake, unless it is ours."""
    try:
        with use_backend(backend, everywhere=True):
            return script.execute(module)
    except (KaleliteError, KeyboardInterrupt, StopScript):
        raise
    except BaseException as error:
        if is_ours(error) or (view is not None and error is view.shown):
            raise
        after = " after its pipeline had run" if backend.calls else ""
        title = f"{script.name} could not be run to its end{after}"
        hint = script.hint(error)
        raise ScriptRaisedError(tuple(exception_lines(error, title, width, hint))) from error


def _was_help(script: Program, ended: ScriptExit, arguments: Sequence[str]) -> bool:
    """Whether a script without a pipeline so far has only shown its help.

    Raises `ScriptError`: it left for another reason.
    """
    if ended.where is None:
        return False
    if not {"-h", "--help"}.isdisjoint(arguments):
        return True
    raise _left_early(script, "sys.exit()", "before it defined a pipeline", ended.where)


def _refuse_early_exit(script: Program, ended: ScriptExit) -> None:
    if ended.ok:
        return
    error = _left_early(script, f"sys.exit({ended.code!r})", "before a pipeline ran", ended.where)
    if ended.code == 2:
        error.hint = (
            f"If it wants arguments of its own, give them after --: kalelite {script.name} -- ..."
        )
    raise error


def _left_early(script: Program, how: str, when: str, where: Where | None) -> ScriptError:
    return ScriptError(
        f"{script.name} ended with {how} {when}",
        hint="Its pipeline must be defined, and may be called, before it exits.",
        where=where,
    )
