"""``kalelite SCRIPT``: run the script's pipeline, or compile it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kalelite.cli.parser import add_setting
from kalelite.cli.script_arguments import add_picture, add_script
from kalelite.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from kalelite.cli.command import Command

_FLAGS = {"no_cache": "no-cache"}
"""Of options with another name, their flags."""
_HERE = ("jobs", "debug", "isolate")
"""Options that have no meaning elsewhere."""
_REUSE = ("no_cache", "cache", "refresh", "explain")
"""Options that have no meaning without a run."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Everything that a script without a verb may be given."""
    add_script(parser)
    parser.add_argument("--version", action="store_true", help="print the version")
    here = parser.add_argument_group("running here")
    add_setting(here, "jobs", "at most N steps at once (default: the cores)")
    here.add_argument(
        "--debug",
        action="store_true",
        help="run in this process, one step after the other, so that breakpoint() works",
    )
    here.add_argument(
        "--isolate",
        action="store_const",
        const="true",
        help="run in a clone of the workspace: the nearest folder upwards with .kalelite, .git, "
        "pyproject.toml or setup.cfg; what the run writes there is kept apart",
    )
    add_setting(
        here,
        "output",
        "auto: a live table on a terminal, else lines; plain: lines; json: one object a line",
    )
    here.add_argument(
        "--follow", action="store_true", help="show what all steps print, with their names"
    )
    add_setting(here, "home")
    _add_naming(parser)
    _add_reuse(parser.add_argument_group("results of earlier runs"))
    look = parser.add_argument_group("looking without running")
    look.add_argument("--check", action="store_true", help="print all problems, start nothing")
    add_picture(look, "--graph")
    _add_kfp(parser.add_argument_group("Kubeflow Pipelines"))


def _add_kfp(kfp: argparse._ActionsContainer) -> None:
    kfp.add_argument(
        "--kfp",
        dest="backend",
        action="store_const",
        const="kubeflow",
        help="run on Kubeflow Pipelines, as --backend kubeflow does",
    )
    kfp.add_argument("--backend", metavar="NAME", help="run on the backend of that name")
    kfp.add_argument("--no-wait", action="store_true", help="with --kfp: start the run, and leave")
    kfp.add_argument(
        "--recurring",
        metavar="CRON",
        help="with --kfp: run it by a schedule of cron's five fields, in UTC: '0 6 * * *', @daily; "
        "kalelite recurring shows and ends it. The volumes of a notebook are cloned from snapshots "
        "taken now",
    )
    kfp.add_argument(
        "--fresh-snapshots",
        action="store_true",
        help="with --recurring: each run takes snapshots of the notebook's volumes when it starts; the "
        "account of the runs needs the right to",
    )
    kfp.add_argument("--run-name", metavar="TEXT", help="what the run is called there")
    kfp.add_argument("--experiment", metavar="TEXT", help="the experiment that it belongs to")
    kfp.add_argument(
        "--snapshot",
        metavar="RUN",
        help="with --kfp: start from the volumes as they were for that run, or as a step of it has "
        "kept them (ids as kalelite snapshots lists them)",
    )
    add_setting(kfp, "marshal")
    add_setting(kfp, "pods")
    add_setting(kfp, "kfp_host")
    add_setting(kfp, "kfp_context")
    add_setting(kfp, "kfp_namespace")
    kfp.add_argument("--compile", metavar="FILE", help="with --kfp: write the compiled pipeline")
    kfp.add_argument(
        "--dry-run", action="store_true", help="with --kfp: check all, show what would be created"
    )


def _add_naming(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--name",
        help="what the run is called wherever a run is asked for, as kalelite tag says; the second "
        "run of a script is NAME-2, and so on",
    )
    parser.add_argument("--note", metavar="TEXT", help="a note about the run")
    parser.add_argument(
        "--tag",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="a tag of the run; may be repeated",
    )
    # For the trials of a sweep: the results of all steps, shared with runs beside this one.
    parser.add_argument("--share-results", metavar="FOLDER", help=argparse.SUPPRESS)


def _add_reuse(group: argparse._ActionsContainer) -> None:
    group.add_argument(
        "--no-cache",
        action="store_true",
        help="run steps with cache=True anew, and keep their new results",
    )
    group.add_argument(
        "--cache",
        action="store_true",
        help="use and keep the results of all steps but those with cache=False",
    )
    add_refresh(group)
    group.add_argument(
        "--from",
        dest="start_after",
        metavar="RUN:STEP",
        help="start after a step of an earlier run: its values and those before are taken",
    )
    group.add_argument(
        "--explain", action="store_true", help="say at the end why each step ran or was taken"
    )


def add_refresh(parser: argparse._ActionsContainer) -> None:
    """The steps that are to run."""
    parser.add_argument(
        "--refresh",
        metavar="STEP",
        action="append",
        default=[],
        help="run this step anew, whatever is known of it; may be repeated",
    )


def perform(command: Command) -> int:
    """Run the script's pipeline, or do with it what the flags say."""
    options = command.options
    if options.version:
        from importlib.metadata import version

        command.out.line(f"kalelite {version('kalelite')}")
        return ExitCode.OK
    _refuse_contradictions(options)
    if options.explain:
        _refuse_to_explain_unseen(options)
    if options.start_after:
        _refuse_without_a_run(options)
    if options.recurring or options.fresh_snapshots:
        _refuse_beside_recurring(options)
    name = options.backend or ("kubeflow" if options.compile else "local")
    if options.check:
        from kalelite.cli import verb_check

        return verb_check.perform(command, name)
    if options.graph:
        from kalelite.cli import verb_graph

        return verb_graph.perform(command)
    return _run(command, name)


def _run(command: Command, name: str) -> int:
    from kalelite.cli.command_run import run_pipelines

    return run_pipelines(command, name, extra_settings(command.options))


def extra_settings(options: argparse.Namespace) -> dict[str, Any]:
    """What the flags say to a backend, beside the settings."""
    extra: dict[str, Any] = {"debug": True} if options.debug else {}
    if options.no_cache or options.cache:
        extra["cache"] = not options.no_cache
    if options.refresh:
        extra["refresh"] = tuple(options.refresh)
    if options.share_results:
        extra["share"] = Path(options.share_results)
    if options.start_after:
        extra["start_after"] = _run_and_step(options.start_after)
    return extra | {
        name: getattr(options, name)
        for name in ("run_name", "experiment", "snapshot")
        if getattr(options, name) is not None
    }


def _run_and_step(text: str) -> tuple[str, str]:
    run, colon, step = text.rpartition(":")
    if not (run and colon and step):
        raise UsageError(
            f"--from takes a run and a step, not {text!r}", hint="Write --from last:train."
        )
    return run, step


def _refuse_contradictions(options: argparse.Namespace) -> None:
    """Refuse options that would be ignored beside each other."""
    elsewhere = bool(options.backend or options.compile)
    if options.dry_run and not elsewhere:
        raise UsageError(
            "--dry-run goes with --kfp",
            hint="Here, --check prints all problems of a pipeline without running it.",
        )
    if options.check and options.graph:
        raise UsageError("--check and --graph cannot be given together")
    is_notebook = (options.script or "").endswith(".ipynb")
    if options.file and not options.graph and not (is_notebook and not options.check):
        raise UsageError(
            "-o goes with --graph: it is where the picture is written",
            hint="A notebook that runs is written with its outputs: kalelite book.ipynb -o FILE",
        )
    if options.output and options.graph:
        raise UsageError("--output is about runs and has no meaning with --graph")
    if options.cache and options.no_cache:
        raise UsageError("--cache and --no-cache cannot be given together")
    looks = options.check or options.graph
    here = [name for name in (*_HERE, *(_REUSE if looks else ())) if getattr(options, name)]
    if options.home and (options.compile or options.dry_run or options.check or options.graph):
        here.append("home")
    submitting = ("no_wait", "recurring", "fresh_snapshots", "run_name", "experiment", "snapshot")
    there = [name for name in submitting if getattr(options, name)]
    if there and (options.backend is None or options.compile or options.dry_run):
        raise UsageError(
            f"--{there[0].replace('_', '-')} is about a run that is submitted: it goes with --kfp"
        )
    other = next((name for name in ("check", "graph") if getattr(options, name)), "")
    other = other or ("kfp" if elsewhere else "")
    if here and other:
        raise UsageError(
            f"--{_FLAGS.get(here[0], here[0])} is about running here and has no meaning with --{other}",
            hint="Leave one of them out.",
        )
    if options.graph and elsewhere:
        raise UsageError("--graph shows the plan, which is the same with and without --kfp")


def _refuse_to_explain_unseen(options: argparse.Namespace) -> None:
    later = ("no_wait", "recurring", "compile", "dry_run")
    unseen = next((name for name in later if getattr(options, name)), "")
    if unseen:
        raise UsageError(
            f"--explain is about the end of a run: none is seen with --{unseen.replace('_', '-')}"
        )


def _refuse_without_a_run(options: argparse.Namespace) -> None:
    runless = ("check", "graph", "compile", "dry_run", "recurring")
    without = next((name for name in runless if getattr(options, name)), "")
    if without:
        raise UsageError(f"--from is about a run, and --{without.replace('_', '-')} begins none")


def _refuse_beside_recurring(options: argparse.Namespace) -> None:
    from kalelite.plan.cron import Cron

    if not options.recurring:
        raise UsageError("--fresh-snapshots goes with --recurring: a single run takes its own")
    if options.fresh_snapshots and options.snapshot:
        raise UsageError("--snapshot and --fresh-snapshots cannot be given together")
    Cron.parse(options.recurring)  # before the script runs
    if options.no_wait or options.name or options.note or options.tag:
        raise UsageError(
            "--recurring starts no run now: --no-wait, --name, --note and --tag are about one",
            hint="--run-name says what its runs are called.",
        )
