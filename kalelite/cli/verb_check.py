"""``kalelite check SCRIPT``: all problems of a script's pipelines, without running a step."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING

from kalelite.cli.parser import add_setting
from kalelite.cli.script_arguments import add_script
from kalelite.errors import CaptureError, ExitCode, PipelineError, Problem

if TYPE_CHECKING:
    from kalelite.cli.command import Command
    from kalelite.plan.graph import Plan


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The script, and the form of the output."""
    add_script(parser)
    add_setting(parser, "output")


def perform(command: Command, backend: str = "local") -> int:
    """Find all problems that the pipelines have for a backend.

    Raises `PipelineError`: with every one of them; `UsageError`: a parameter given with ``-p`` does
    not exist or does not fit.
    """
    from kalelite.cli.choose import choose, known_names
    from kalelite.cli.script_run import opened

    given = command.options.parameters
    target = command.open_backend(backend)
    with opened(command) as script:
        problems = list(script.problems)
        if not script.pipelines and not problems:
            choose(script.pipelines, None, script.script.name)
        plans: list[Plan] = []
        for pipeline in script.pipelines:
            plan, found = pipeline.draft()
            problems += found or [*_problems_of_code(plan), *target.check(plan)]
            plans.append(plan)
        if problems:
            problems = list(dict.fromkeys(problems))
            if command.as_json:
                for problem in problems:
                    command.write_json({"event": "problem", **dataclasses.asdict(problem)})
            raise PipelineError(*problems)
        known_names((p for each in script.pipelines for p in each.parameters), given)
        for plan in plans:
            _approve(command, plan, given)
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


def _approve(command: Command, plan: Plan, given: Mapping[str, str]) -> None:
    from kalelite.cli.choose import arguments_of
    from kalelite.humanize import count

    arguments_of([p for p in plan.parameters if p.name in given], given)
    if command.as_json:
        command.write_json({"event": "checked", "plan": plan})
        return
    numbers = f"{count(len(plan.tasks), 'step')}, {count(len(plan.parameters), 'parameter')}"
    command.out.line(("✓", "green"), f" {plan.name}: {numbers}, no problems")
