"""``kalelite SCRIPT``: run the script's pipeline, or look at it."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Protocol

from kalelite.authoring.pipeline import Pipeline
from kalelite.authoring.target import use_target
from kalelite.authoring.trace import pipelines_of
from kalelite.cli.choose import arguments_of, choose, known_names
from kalelite.cli.leaving import Judge, judged_exits
from kalelite.cli.parser import Request
from kalelite.cli.screens import error_screen, exception_screen, is_ours
from kalelite.cli.script import Script, ScriptExit, ScriptFailed, as_main, execute
from kalelite.cli.settings import Value
from kalelite.cli.tampering import blamed, with_path
from kalelite.cli.targets import FaceTarget, StopScript
from kalelite.cli.terminal import Terminal
from kalelite.errors import ExitCode, KaleliteError, PipelineError, Problem, ScriptError, Where
from kalelite.plan.graph import Group, Plan

__all__ = ["Backend", "Face", "opened", "run_script"]


@dataclass(frozen=True, slots=True)
class Face:
    """The surroundings of a command: what was asked, its settings, and where text goes."""

    request: Request
    script: Script
    settings: Mapping[str, Value]
    out: Terminal
    err: Terminal
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


class Backend(Protocol):
    """A backend as the command uses it: made before the script runs, closed at the end.

    ``status`` is the exit code so far; ``shown`` is an error that the user has seen already;
    ``gives_value`` tells whether the script can go on after its call of a pipeline.
    """

    gives_value: bool

    status: int
    shown: BaseException | None

    def close(self) -> None:
        """Let go of what the backend holds."""

    def act(self, plan: Plan, arguments: Mapping[str, Any], *, wanted: bool = True) -> Any:
        """Run or compile a plan; what the call of the pipeline gives back, if that is wanted."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A script that ran: its pipelines, and how it ended.

    ``called`` is the pipeline whose call stopped it, ``problems`` what that call complained of.
    """

    script: Script
    pipelines: tuple[Pipeline[..., Any], ...]
    ended: ScriptExit
    called: Pipeline[..., Any] | None = None
    problems: tuple[Problem, ...] = ()


def run_script(face: Face, backend: Backend) -> int:
    """Run the pipelines that the script calls, or else its one pipeline; the exit code."""
    acts = _Acts(face, backend)
    with closing(backend), _as_main(face, acts.judge) as module:
        try:
            return _run_pipelines(face, backend, acts, module)
        except BaseException as error:
            if error is not backend.shown:
                raise
            return backend.status


@contextmanager
def _as_main(face: Face, judge: Judge) -> Iterator[ModuleType]:
    """The script's module, in a process where a script may do what it wants."""
    script = face.script
    exits, main = judged_exits(judge, script.path), as_main(script, face.request.script_args)
    with exits, main as module, blamed(script):
        yield module


def _run_pipelines(face: Face, backend: Backend, acts: _Acts, module: ModuleType) -> int:
    request, script = face.request, face.script
    only = request.options.get("pipeline")
    given = dict(request.parameters)
    known = pipelines_of()
    target = FaceTarget(acts, given, only, stop_after=not backend.gives_value)
    ended = _execute(script, module, target, face.err, backend)
    if target.calls:
        if isinstance(ended.code, str):
            face.err.line(ended.code)
        return ended.status or backend.status
    _refuse_early_exit(script, ended)
    pipelines = _of_script(script, module, known)
    if not pipelines and _was_help(script, ended, request.script_args):
        return ExitCode.OK
    found = choose(pipelines, only, script.name)
    known_names([found], given)
    plan = found.plan()
    with use_target(target):
        acts(plan, arguments_of(plan.parameters, given), wanted=False)
    return backend.status


class _Acts:
    """What the backend does for a script, and so what an exit in the middle of it means."""

    def __init__(self, face: Face, backend: Backend) -> None:
        self._face = face
        self._backend = backend
        self._begun = self._done = 0
        self._one_at_a_time = threading.RLock()
        self._path = list(sys.path)

    def __call__(self, plan: Plan, arguments: Mapping[str, Any], *, wanted: bool = True) -> Any:
        with self._one_at_a_time:
            self._begun += 1
            with_path(self._path)
            try:
                return self._backend.act(plan, arguments, wanted=wanted)
            finally:
                self._done += 1

    def judge(self, status: int, where: Where) -> int:
        """The exit code for ``os._exit`` in the script, or in a step that is debugged."""
        if self._begun and self._begun == self._done:
            return status or self._backend.status
        self._backend.close()
        when = "while its pipeline ran" if self._begun else "before a pipeline ran"
        error = _left_early(self._face.script, f"os._exit({status})", when, where)
        if self._begun:
            error.hint = (
                "A step that ends this process ends the run: return, or raise an exception."
            )
        self._face.err.line(error_screen(error, self._face.err))
        return ExitCode.STEP_FAILED if self._begun else error.exit_code


@contextmanager
def opened(face: Face) -> Iterator[Opened]:
    """Run a script up to its first call of a pipeline, to look at what it defines."""
    request, script = face.request, face.script

    def judge(status: int, where: Where) -> int:
        error = _left_early(script, f"os._exit({status})", "before a pipeline ran", where)
        face.err.line(error_screen(error, face.err))
        return error.exit_code

    with _as_main(face, judge) as module:
        known = pipelines_of()
        called: Pipeline[..., Any] | None = None
        problems: tuple[Problem, ...] = ()
        ended = ScriptExit()
        try:
            ended = _execute(script, module, FaceTarget(None, {}), face.err)
        except StopScript as stop:
            called = stop.pipeline
        except PipelineError as error:
            problems = error.problems
        _refuse_early_exit(script, ended)
        pipelines = tuple(_of_script(script, module, known))
        name = request.options.get("pipeline")
        if name is not None:
            pipelines = (choose(pipelines, name, script.name),)
        yield Opened(script, pipelines, ended, called, problems)


def _execute(
    script: Script,
    module: ModuleType,
    target: FaceTarget,
    err: Terminal,
    backend: Backend | None = None,
) -> ScriptExit:
    """Run the script's code, and tell the user's mistakes from ours.

    Without a backend the script's first call of a pipeline comes through, as a `StopScript`.
    """
    try:
        with use_target(target, everywhere=True):
            return execute(script, module)
    except StopScript:
        if backend is None:
            raise
        return ScriptExit()
    except (KaleliteError, KeyboardInterrupt):
        raise
    except BaseException as error:
        if is_ours(error) or (backend is not None and error is backend.shown):
            raise
        after = " after its pipeline had run" if target.calls else ""
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
