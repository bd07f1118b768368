"""``kalelite SCRIPT``: run the script's pipeline, or look at it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from kalelite.authoring.backends import Backend, Result, use_backend
from kalelite.authoring.pipeline import Pipeline
from kalelite.authoring.trace import pipelines_of
from kalelite.cli.choose import arguments_of, choose, known_names
from kalelite.cli.parser import Request
from kalelite.cli.run_view import RunView, reporter_for
from kalelite.cli.screens import exception_screen, is_ours
from kalelite.cli.script import Script, ScriptExit, ScriptFailed, as_main, execute
from kalelite.cli.script_backend import Act, ScriptBackend, StopScript
from kalelite.cli.settings import Value
from kalelite.cli.terminal import Terminal
from kalelite.errors import ExitCode, KaleliteError, PipelineError, Problem, ScriptError, Where
from kalelite.plan.graph import Group, Plan

__all__ = ["Face", "opened", "run_script"]


@dataclass(frozen=True, slots=True)
class Face:
    """The surroundings of a command: what was asked, its settings, and where text goes."""

    request: Request
    script: Script
    settings: Mapping[str, Value]
    out: Terminal
    err: Terminal
    backend: Backend
    program: str = "kalelite"
    words: tuple[str, ...] = ()

    def setting(self, name: str) -> Any:
        """The value of a setting."""
        return self.settings[name].value

    def command(self) -> str:
        """The command line as it was typed, ready to be typed again."""
        import shlex

        module = os.path.basename(self.program) == "__main__.py"  # noqa: PTH119 - any text
        start = ["python", "-m", "kalelite"] if module else ["kalelite"]
        return shlex.join([*start, *self.words])


@dataclass(frozen=True, slots=True)
class Opened:
    """A script that ran: its pipelines, and how it ended.

    ``called`` is the plan of the call that stopped it, ``problems`` what is wrong with that call.
    """

    script: Script
    pipelines: tuple[Pipeline[..., Any], ...]
    ended: ScriptExit
    called: Plan | None = None
    problems: tuple[Problem, ...] = ()


def run_script(face: Face) -> int:
    """Run the pipelines that the script calls, or else its one pipeline; the exit code.

    To compile a pipeline, or to show what a run would create, the script stops at its first call.
    """
    debug = bool(face.request.options.get("debug"))
    reporter = reporter_for(face.setting("output"), face.out, debug=debug)
    view = RunView(reporter, face.out, face.err, face.command)
    try:
        with as_main(face.script, face.request.script_args) as module:
            return _run_pipelines(face, _act(face, view), view, module)
    except BaseException as error:
        if error is not view.shown:
            raise
        return view.status
    finally:
        view.close()


def _act(face: Face, view: RunView) -> Act:
    """What the command asks for: a run, a file, or a look at what a run would create."""
    file: str | None = face.request.options.get("compile")
    dry_run = bool(face.request.options.get("dry_run"))

    def act(plan: Plan, arguments: Mapping[str, Any]) -> Result | None:
        if dry_run:
            face.out.line(face.backend.dry_run(plan, arguments))
        elif file is not None:
            for note in face.backend.compile(plan, file, arguments):
                face.out.line(note)
            face.out.line(f"compiled {plan.name} to {file}")
        else:
            return view.watch(face.backend, plan, arguments)
        return None

    return act


def _run_pipelines(face: Face, act: Act, view: RunView, module: ModuleType) -> int:
    request, script = face.request, face.script
    only = request.options.get("pipeline")
    given = dict(request.parameters)
    known = pipelines_of()
    backend = ScriptBackend(act, given, only)
    try:
        ended = _execute(script, module, backend, face.err, view)
    except StopScript:
        ended = ScriptExit()
    if backend.calls:
        if isinstance(ended.code, str):
            face.err.line(ended.code)
        return ended.status or view.status
    _refuse_early_exit(script, ended)
    pipelines = _of_script(script, module, known)
    if not pipelines and _was_help(script, ended, request.script_args):
        return ExitCode.OK
    found = choose(pipelines, only, script.name)
    known_names(found.parameters, given)
    plan = found.plan()
    with use_backend(backend):
        act(plan, arguments_of(plan.parameters, given))
    return view.status


@contextmanager
def opened(face: Face) -> Iterator[Opened]:
    """Run a script up to its first call of a pipeline, to look at what it defines."""
    request, script = face.request, face.script
    with as_main(script, request.script_args) as module:
        known = pipelines_of()
        called: Plan | None = None
        problems: tuple[Problem, ...] = ()
        ended = ScriptExit()
        try:
            ended = _execute(script, module, ScriptBackend(_no_act, {}), face.err)
        except StopScript as stop:
            called = stop.plan
        except PipelineError as error:
            problems = error.problems
        _refuse_early_exit(script, ended)
        pipelines = tuple(_of_script(script, module, known))
        name = request.options.get("pipeline")
        if name is not None:
            pipelines = (choose(pipelines, name, script.name),)
        yield Opened(script, pipelines, ended, called, problems)


def _no_act(plan: Plan, arguments: Mapping[str, Any]) -> None:
    """Nothing is done: the script stops at its first call."""


def _execute(
    script: Script,
    module: ModuleType,
    backend: ScriptBackend,
    err: Terminal,
    view: RunView | None = None,
) -> ScriptExit:
    """Run the script's code, and tell the user's mistakes from ours."""
    try:
        with use_backend(backend, everywhere=True):
            return execute(script, module)
    except (KaleliteError, KeyboardInterrupt, StopScript):
        raise
    except BaseException as error:
        if is_ours(error) or (view is not None and error is view.shown):
            raise
        after = " after its pipeline had run" if backend.calls else ""
        title = f"{script.name} could not be run to its end{after}"
        raise ScriptFailed(exception_screen(error, title, err)) from error


def _was_help(script: Script, ended: ScriptExit, arguments: Sequence[str]) -> bool:
    """Whether a script without a pipeline so far has only shown its help.

    Raises
    ------
    ScriptError
        It left for another reason.
    """
    if ended.where is None:
        return False
    if not {"-h", "--help"}.isdisjoint(arguments):
        return True
    raise _left_early(script, "sys.exit()", "before it defined a pipeline", ended.where)


def _refuse_early_exit(script: Script, ended: ScriptExit) -> None:
    if ended.ok:
        return
    error = _left_early(script, f"sys.exit({ended.code!r})", "before a pipeline ran", ended.where)
    if ended.code == 2:
        error.hint = (
            f"If it wants arguments of its own, give them after --: kalelite {script.name} -- ..."
        )
    raise error


def _left_early(script: Script, how: str, when: str, where: Where | None) -> ScriptError:
    return ScriptError(
        f"{script.name} ended with {how} {when}",
        hint="Its pipeline must be defined, and may be called, before it exits.",
        where=where,
    )


def _of_script(
    script: Script, module: ModuleType, known: Iterable[Pipeline[..., Any]]
) -> list[Pipeline[..., Any]]:
    """The pipelines that the user may mean: the script's own, else those that it imports.

    A pipeline that is only a part of another one does not count.
    """
    here = pipelines_of(vars(module))
    before = {id(pipeline) for pipeline in known}
    found = [p for p in here if p.where is not None and p.where.file == script.path] or here
    found = found or [p for p in pipelines_of() if id(p) not in before]
    if len(found) < 2:
        return found
    inner = {
        block.name
        for pipeline in found
        for block in pipeline.draft()[0].blocks
        if isinstance(block, Group)
    }
    return [pipeline for pipeline in found if pipeline.name not in inner] or found
