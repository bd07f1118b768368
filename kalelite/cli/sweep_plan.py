"""The sweep that a command line asks for, checked before anything runs."""

from __future__ import annotations

import argparse
import random
from dataclasses import replace
from typing import TYPE_CHECKING

from kalelite.cli.choose import arguments_of, choose, known_names
from kalelite.cli.script_run import opened
from kalelite.errors import PipelineError, UsageError
from kalelite.runs.run_again import again
from kalelite.sweep.space import Choices, parse_space, size_of_space, text_of
from kalelite.sweep.sweep_record import Sweep

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kalelite.cli.command import Command
    from kalelite.sweep.space import Space

_MOST_TRIALS = 10_000


def planned(command: Command) -> tuple[Sweep, Space]:
    """The sweep that was asked for, without an id, and its space; raises `UsageError`."""
    options = command.options
    search, number = _search(options)
    space, fixed = parse_space(options.parameters)
    _check_values(command, space, fixed)
    total = size_of_space(space)
    if search == "grid":
        number = total or 0
    elif search == "random" and total is not None:
        number = min(number, total)
    if number > _MOST_TRIALS:
        raise UsageError(f"that is {number:,} trials", hint="Give --random 100 for some of them.")
    seed = random.SystemRandom().randrange(2**31) if options.seed is None else options.seed
    words = ["-m", options.module] if options.module else [options.script]
    for name, text in fixed.items():
        words += ["-p", f"{name}={text}"]
    words += ["--pipeline", options.pipeline] if options.pipeline else []
    words += ["--run-shell"] if options.run_shell else []
    words += ["--kfp"] if options.kfp else []
    words += ["--", *command.script_args] if command.script_args else []
    texts = {name: options.parameters[name] for name in space}
    return Sweep(
        "",
        words,
        command.folder,
        texts,
        search,
        number,
        seed,
        options.at_once or 1,
        options.objective or "",
        options.maximize,
    ), space


def resumed(sweep: Sweep) -> tuple[Sweep, Space]:
    """A recorded sweep with the secrets of its command line, and its space."""
    return replace(sweep, words=again(sweep.words)), parse_space(sweep.space)[0]


def _search(options: argparse.Namespace) -> tuple[str, int]:
    """The search and how many trials it is given, 0 for all."""
    search = options.search or ("random" if options.random is not None else "grid")
    number = options.random if options.random is not None else options.trials
    if options.random is not None and (search != "random" or options.trials is not None):
        raise UsageError("--random N is short for --search random --trials N: give one of them")
    if search == "grid" and number is not None:
        raise UsageError("a grid has all its points", hint="--random N takes some by chance.")
    if search != "grid" and (number is None or number < 1):
        raise UsageError(f"--search {search} needs to know how many", hint="Give --trials 20.")
    if options.at_once is not None and options.at_once < 1:
        raise UsageError(f"-j {options.at_once} lets nothing run")
    if options.objective and not (options.minimize or options.maximize):
        raise UsageError("is a small or a large one better?", hint="Give --minimize or --maximize.")
    if not options.objective and (options.minimize or options.maximize or search == "tpe"):
        raise UsageError("what is compared?", hint="Give --objective, a metric or STEP.OUTPUT.")
    return search, number or 0


def _check_values(command: Command, space: Space, fixed: Mapping[str, str]) -> None:
    """Refuse parameters that the pipeline does not have, and values that it does not take."""
    with opened(command) as script:
        if script.problems:
            raise PipelineError(*script.problems)
        pipeline = choose(script.pipelines, command.options.pipeline, script.script.name)
        parameters = pipeline.plan().parameters
        known_names(parameters, {**fixed, **dict.fromkeys(space, "")})
        for parameter in parameters:
            texts = [fixed[parameter.name]] if parameter.name in fixed else []
            each = space.get(parameter.name)
            if isinstance(each, Choices):
                texts = [text_of(value) for value in each.values]
            elif each is not None:
                low = int(each.low) if each.whole else each.low
                texts = [text_of(low)]
            for text in texts:
                arguments_of([parameter], {parameter.name: text})
