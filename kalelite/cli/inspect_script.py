"""``--check`` and ``--graph``: look at a script's pipelines without running a step."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kalelite.cli.choose import arguments_of, choose, known_names
from kalelite.cli.json_output import JsonReporter, encode
from kalelite.cli.screens import error_screen
from kalelite.cli.script_run import Face, opened
from kalelite.cli.words import count
from kalelite.errors import CaptureError, ExitCode, PipelineError, Problem, UsageError
from kalelite.plan.graph import Plan

__all__ = ["check_script", "draw_script"]


def check_script(face: Face) -> int:
    """Find all problems of all pipelines of a script.

    Raises
    ------
    PipelineError
        With every one of them.
    UsageError
        A parameter given with ``-p`` does not exist or does not fit.
    """
    given = dict(face.request.parameters)
    with opened(face) as script:
        problems = list(script.problems)
        if not script.pipelines and not problems:
            choose(script.pipelines, None, script.script.name)
        plans: list[Plan] = []
        for pipeline in script.pipelines:
            plan, found = pipeline.draft()
            problems += found or _problems_of_code(plan) + list(face.backend.check(plan))
            plans.append(plan)
        if problems:
            problems = _distinct(problems)
            if face.setting("output") == "json":
                for problem in problems:
                    JsonReporter(face.out).write({"event": "problem", **encode(problem)})
            raise PipelineError(*problems)
        known_names((p for each in script.pipelines for p in each.parameters), given)
        for plan in plans:
            _tell_good(face, plan, given)
    return ExitCode.OK


def _problems_of_code(plan: Plan) -> list[Problem]:
    """What in the steps' code, and in the constants that they are given, cannot travel."""
    from kalelite.capture.code import capture
    from kalelite.engine.task_templates import task_templates

    try:
        task_templates(plan, capture(plan))
    except CaptureError as error:
        return list(error.problems)
    return []


def _tell_good(face: Face, plan: Plan, given: Mapping[str, str]) -> None:
    mine = [p for p in plan.parameters if p.name in given]
    arguments_of(mine, given)
    if face.setting("output") == "json":
        JsonReporter(face.out).write({"event": "checked", "plan": plan})
        return
    steps, parameters = len(plan.tasks), len(plan.parameters)
    face.out.line(
        f"{face.out.paint('✓', 'green')} {plan.name}: {count(steps, 'step')},"
        f" {count(parameters, 'parameter')}, no problems"
    )


def _distinct(problems: list[Problem]) -> list[Problem]:
    return list(dict.fromkeys(problems))


def draw_script(face: Face) -> int:
    """Print or write a picture of a pipeline, also of one that is wrong."""
    from kalelite import picture

    format = face.request.options["graph"]
    with opened(face) as script:
        only = face.request.options.get("pipeline")
        plan = script.called
        problems: list[Problem] = []
        if plan is None or only is not None:
            plan, problems = choose(script.pipelines, only, script.script.name).draft()
        known_names(plan.parameters, dict(face.request.parameters))
    draw = getattr(picture, f"to_{format}")
    text: str = draw(plan, tuple(problems))
    file = face.request.options.get("file")
    if file is None:
        face.out.line(text.rstrip("\n"))
    else:
        try:
            Path(file).write_text(text, "utf-8")
        except OSError as error:
            raise UsageError(f"{file} cannot be written: {error.strerror}") from None
        face.err.line(f"wrote {file}")
    if problems:
        face.err.line()
        face.err.line(error_screen(PipelineError(*problems), face.err))
        return ExitCode.PIPELINE
    return ExitCode.OK
