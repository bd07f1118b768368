"""``kalelite SCRIPT``: run the script's pipeline, or compile it."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kalelite.cli.parser import add_setting
from kalelite.cli.script_arguments import add_picture, add_script
from kalelite.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from kalelite.authoring.backends import Backend, Result, Submission
    from kalelite.cli.command import Command
    from kalelite.cli.run_view import RunView
    from kalelite.cli.script_backend import Act
    from kalelite.plan.graph import Plan


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
        "--no-cache",
        action="store_true",
        help="run steps with cache=True anew, and keep their new results",
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
    add_setting(here, "home")
    look = parser.add_argument_group("looking without running")
    look.add_argument("--check", action="store_true", help="print all problems, start nothing")
    add_picture(look, "--graph")
    kfp = parser.add_argument_group("Kubeflow Pipelines")
    kfp.add_argument(
        "--kfp",
        dest="backend",
        action="store_const",
        const="kubeflow",
        help="run on Kubeflow Pipelines, as --backend kubeflow does",
    )
    kfp.add_argument("--backend", metavar="NAME", help="run on the backend of that name")
    kfp.add_argument("--no-wait", action="store_true", help="with --kfp: start the run, and leave")
    kfp.add_argument("--run-name", metavar="TEXT", help="what the run is called there")
    kfp.add_argument("--experiment", metavar="TEXT", help="the experiment that it belongs to")
    add_setting(kfp, "kfp_host")
    add_setting(kfp, "kfp_context")
    add_setting(kfp, "kfp_namespace")
    kfp.add_argument("--compile", metavar="FILE", help="with --kfp: write the compiled pipeline")
    kfp.add_argument(
        "--dry-run", action="store_true", help="with --kfp: check all, show what would be created"
    )


def perform(command: Command) -> int:
    """Run the script's pipeline, or do with it what the flags say."""
    options = command.options
    if options.version:
        from importlib.metadata import version

        command.out.line(f"kalelite {version('kalelite')}")
        return ExitCode.OK
    _refuse_contradictions(options)
    name = options.backend or ("kubeflow" if options.compile else "local")
    if options.check:
        from kalelite.cli import verb_check

        return verb_check.perform(command, name)
    if options.graph:
        from kalelite.cli import verb_graph

        return verb_graph.perform(command)
    isolate = command.settings["isolate"].value == "true" and name == "local"
    if not isolate:
        return _run(command, name)
    from kalelite.cli.isolation import isolated

    with isolated(command) as inside:
        return _run(inside, name)


def _run(command: Command, name: str) -> int:
    from kalelite.cli.program import open_program

    options = command.options
    script = open_program(command)
    extra = {"debug": True} if options.debug else {}
    extra |= {"cache": False} if options.no_cache else {}
    extra |= {
        name: getattr(options, name)
        for name in ("run_name", "experiment")
        if getattr(options, name) is not None
    }
    backend = command.open_backend(name, **extra)
    backend.prepare(script.text, script.import_path())
    from kalelite.cli.run_view import RunView, reporter_for
    from kalelite.cli.script_run import run_script

    output = command.settings["output"].value
    reporter = reporter_for(output, command.out, debug=options.debug)
    view = RunView(reporter, command.out, command.err, command.again())
    act = _act(command, backend, view)
    if not options.file:
        return run_script(command, script, act, view)
    from kalelite.notebook.executed import run_and_write

    return run_and_write(command, script, act, view)


def _act(command: Command, backend: Backend, view: RunView) -> Act:
    """What is done with each pipeline: a run, a file, or a look at what a run would create."""
    out, options = command.out, command.options
    file = os.path.abspath(options.compile or "")  # a notebook runs in its own folder

    def act(plan: Plan, arguments: Mapping[str, Any]) -> Result | None:
        if options.dry_run:
            for section in backend.dry_run(plan, arguments):
                out.line((section.title, "bold"))
                out.table(section.rows, indent=2)
                out.line()
            out.line("Every check passed. Nothing was created.")
        elif options.compile is not None:
            for note in backend.compile(plan, file, arguments):
                out.line(note)
            out.line(f"compiled {plan.name} to {options.compile}")
        elif options.no_wait:
            started = backend.submit(plan, arguments)
            _tell_of(started, command)
        else:
            return view.watch(backend, plan, arguments)
        return None

    return act


def _tell_of(run: Submission, command: Command) -> None:
    """Where a run is that nobody waits for."""
    if command.as_json:
        command.write_json({"event": "run_submitted", "run": run.id, "url": run.url})
        return
    command.out.line(run.url, fit="keep")
    command.out.line(f"run {run.id} has started: kalelite follow {run.id} shows it")


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
    here = [name for name in ("jobs", "debug", "no_cache", "isolate") if getattr(options, name)]
    if options.home and (options.compile or options.dry_run or options.check or options.graph):
        here.append("home")
    there = [name for name in ("no_wait", "run_name", "experiment") if getattr(options, name)]
    if there and (options.backend is None or options.compile or options.dry_run):
        raise UsageError(
            f"--{there[0].replace('_', '-')} is about a run that is submitted: it goes with --kfp"
        )
    other = next((name for name in ("check", "graph") if getattr(options, name)), "")
    other = other or ("kfp" if elsewhere else "")
    if here and other:
        raise UsageError(
            f"--{here[0].replace('_', '-')} is about running here and has no meaning with --{other}",
            hint="Leave one of them out.",
        )
    if options.graph and elsewhere:
        raise UsageError("--graph shows the plan, which is the same with and without --kfp")
