"""``kalelite explain [RUN] [STEP]``: why steps ran, or were taken from an earlier run."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from kalelite.cli.parser import add_setting
from kalelite.errors import ClusterError, ExitCode, UsageError

if TYPE_CHECKING:
    from kalelite.cli.command import Command
    from kalelite.runs.pipeline_run import Run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The run and the step."""
    parser.add_argument(
        "run", metavar="RUN", nargs="?", default="last", help="a run's id, or last (the default)"
    )
    parser.add_argument("step", metavar="STEP", nargs="?", help="one step (default: all)")
    parser.add_argument(
        "--fetch",
        action="store_true",
        help="from Kubeflow Pipelines: read first what the steps were given, by a pod that mounts the "
        "run's volume",
    )
    for name in ("output", "home", "kfp_host", "kfp_context", "kfp_namespace"):
        add_setting(parser, name)


def perform(command: Command) -> int:
    """Print the reasons: what changed since the last run that has a result of each step."""
    from kalelite.display.explain_view import print_explanations
    from kalelite.plan.suggest import did_you_mean
    from kalelite.runs.explain import Explainer
    from kalelite.runs.pipeline_run import Run
    from kalelite.runs.run_dirs import task_of

    run, step = Run.open(command.options.run, folder=command.home), command.options.step
    if command.options.fetch:
        _fetch(command, run)
    tasks = run.tasks
    known = {*tasks, *map(task_of, tasks)}
    if step is not None and step not in known:
        hint = did_you_mean(step, known) or f"It has {', '.join(list(tasks)[:12])}."
        raise UsageError(f"run {run.id} has no step {step!r}", hint=hint)
    if command.as_json:
        command.write_json({"run": run.id, "steps": Explainer(run).explain(step)})
    else:
        print_explanations(run.id, run.home, command.out, step)
    return ExitCode.OK


def _fetch(command: Command, run: Run) -> None:
    """Bring the steps' own records of a run, and those of the run that it is compared with."""
    from kalelite.runs.explain import Explainer

    backend = command.open_backend("kubeflow")
    backend.attach(run.id).fetch()
    other = Explainer(run).compared
    if other is not None:
        try:
            backend.attach(other.id).fetch()
        except ClusterError as error:  # its volume may have gone with it
            command.err.line(f"of run {other.id} only the code is compared: {error.message}")
