"""``kalelite graph SCRIPT``: a picture of a pipeline, also of one that is wrong."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from kalelite.cli.script_arguments import add_picture, add_script, picture_format
from kalelite.errors import ExitCode, PipelineError, Problem, UsageError

if TYPE_CHECKING:
    from kalelite.cli.command import Command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The script, the format and the file."""
    add_script(parser)
    add_picture(parser, "--graph", "--format", default="auto")


def perform(command: Command) -> int:
    """Print the picture, or write it to a file."""
    from kalelite.cli.choose import choose, known_names
    from kalelite.cli.script_run import opened
    from kalelite.picture.mermaid import to_mermaid
    from kalelite.picture.page import to_html
    from kalelite.picture.svg import to_svg
    from kalelite.picture.text import to_text

    options = command.options
    kind = picture_format(options)
    with opened(command) as script:
        if script.problems and not script.pipelines:
            raise PipelineError(*script.problems)
        plan = script.called
        problems: list[Problem] = []
        if plan is None or options.pipeline is not None:
            pipeline = choose(script.pipelines, options.pipeline, script.script.name)
            plan, problems = pipeline.draft()
        known_names(plan.parameters, options.parameters)
    draw = {
        "text": to_text,
        "mermaid": to_mermaid,
        "svg": to_svg,
        "html": to_html,
    }[kind]
    text = draw(plan, tuple(problems))
    if options.file is None:
        command.out.write(text.rstrip("\n") + "\n")
    else:
        try:
            Path(options.file).write_text(text, "utf-8")
        except OSError as error:
            raise UsageError(f"{options.file} cannot be written: {error.strerror}") from None
        command.err.line(f"wrote {options.file}")
    if problems:
        command.err.line()
        raise PipelineError(*problems)
    return ExitCode.OK
