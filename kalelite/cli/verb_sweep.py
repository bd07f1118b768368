"""``kalelite sweep SCRIPT``: a run for each point of a space of parameters, and the best of them."""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from kalelite.cli.parser import add_setting
from kalelite.cli.script_arguments import add_script
from kalelite.errors import UsageError

if TYPE_CHECKING:
    from kalelite.cli.command import Command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The script, the space, and how it is searched."""
    add_script(parser)
    parser.epilog = (
        "spaces, in quotes: -p 'lr=[0.1, 0.01]'  -p 'kind=[ridge, lasso]'  -p 'depth=2..6' (whole "
        "numbers)\n-p 'rate=0.1..0.5' (all between)  -p 'lr=1e-4..1e-1 log' (by magnitude); "
        "-p n=3 is no space but a value"
    )
    search = parser.add_argument_group("search")
    search.add_argument(
        "--search",
        choices=("grid", "random", "tpe"),
        help="all points (default), points by chance, or closer and closer to the best by optuna",
    )
    search.add_argument("--random", type=int, metavar="N", help="N points by chance")
    search.add_argument("--trials", type=int, metavar="N", help="how many, with random and tpe")
    search.add_argument("--seed", type=int, metavar="N", help="the chance, so that it repeats")
    search.add_argument(
        "--objective", metavar="NAME", help="a metric, as val_loss, or an output, as judge.score"
    )
    best = search.add_mutually_exclusive_group()
    best.add_argument("--minimize", action="store_true", help="the smallest is the best")
    best.add_argument("--maximize", action="store_true", help="the largest is the best")
    trials = parser.add_argument_group("trials")
    trials.add_argument("-j", dest="at_once", type=int, metavar="N", help="N at once (default: 1)")
    trials.add_argument("--kfp", action="store_true", help="each as a run on Kubeflow Pipelines")
    trials.add_argument(
        "--resume",
        metavar="ID",
        help="go on with a sweep that was stopped, or last; failed ones again",
    )
    add_setting(parser, "output")
    add_setting(parser, "home")


def perform(command: Command) -> int:
    """Run the trials; a step whose inputs and code are the same runs once for all of them."""
    from kalelite.cli.sweep_plan import planned, resumed
    from kalelite.cli.sweep_show import run_and_show
    from kalelite.home_folder import home
    from kalelite.sweep.search import search_of
    from kalelite.sweep.sweep_record import SweepFolder

    base = home(command.home)
    if command.options.resume:
        _refuse_beside_resume(command.options)
        folder = SweepFolder.find(base, command.options.resume)
        sweep, space = resumed(folder.read())
        if command.options.at_once:
            sweep = replace(sweep, jobs=command.options.at_once)
    else:
        sweep, space = planned(command)
        folder = SweepFolder.new(base, time.time())
        sweep = replace(sweep, id=folder.path.name)
    search = search_of(sweep, space)
    folder.path.mkdir(parents=True, exist_ok=True)
    with folder.held():
        folder.write(sweep)
        return run_and_show(command, sweep, folder, search, base)


def _refuse_beside_resume(options: argparse.Namespace) -> None:
    given = {
        "a script": options.script or options.module,
        "-p": options.parameters,
        "--search": options.search,
        "--random": options.random,
        "--trials": options.trials,
        "--seed": options.seed is not None,
        "--objective": options.objective,
        "--minimize": options.minimize,
        "--maximize": options.maximize,
        "--kfp": options.kfp,
    }
    for name, value in given.items():
        if value:
            raise UsageError(f"--resume goes on with a sweep as it was begun, and not with {name}")
