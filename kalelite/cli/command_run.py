"""The pipelines of a program, run or compiled as the command line says."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kalelite.authoring.backends import Backend, Result, Submission
    from kalelite.cli.command import Command
    from kalelite.cli.run_tagging import RunTagging
    from kalelite.cli.run_view import RunView
    from kalelite.cli.script_backend import Act
    from kalelite.cli.siblings import Siblings
    from kalelite.plan.graph import Plan


def run_pipelines(
    command: Command, name: str, extra: Mapping[str, Any], siblings: Siblings | None = None
) -> int:
    """Run the pipelines of a script on a backend with extra settings; the exit code.

    ``siblings`` are the runs to go on with.
    """
    if command.settings["isolate"].value != "true" or name != "local":
        return _run_inside(command, name, extra, siblings)
    from kalelite.cli.isolation import isolated

    with isolated(command) as inside:
        return _run_inside(inside, name, extra, siblings)


def _run_inside(
    command: Command, name: str, extra: Mapping[str, Any], siblings: Siblings | None
) -> int:
    from kalelite.cli.program import open_program

    options = command.options
    script = open_program(command)
    extra = {**extra, "words": tuple(command.words), "called_in": command.folder}
    backend = command.open_backend(name, **extra)
    backend.prepare(script.text, script.import_path())
    from kalelite.cli.run_tagging import RunTagging
    from kalelite.cli.run_view import RunView, reporter_for
    from kalelite.cli.script_run import run_script
    from kalelite.display.printed_lines import with_printed_lines

    output = command.settings["output"].value
    reporter = reporter_for(output, command.out, debug=options.debug)
    if not options.debug:  # else steps print to the terminal themselves
        reporter = with_printed_lines(reporter, follow=options.follow)
    tagging = RunTagging(options.name, options.note, options.tag)
    again, explain = command.again, options.explain
    view = RunView(reporter, command.out, command.err, again, explain=explain, tagging=tagging)
    act = _act(command, backend, view, tagging, siblings)
    if not options.file:
        return run_script(command, script, act, view)
    from kalelite.cli.executed_copy import run_and_write

    return run_and_write(command, script, act, view)


def _act(
    command: Command,
    backend: Backend,
    view: RunView,
    tagging: RunTagging,
    siblings: Siblings | None,
) -> Act:
    """What is done with each pipeline: a run, a file, or a look at what a run would create."""
    out, options = command.out, command.options
    file = os.path.abspath(options.compile or "")  # a notebook runs in its own folder

    def act(plan: Plan, arguments: Mapping[str, Any], resume: str = "") -> Result | None:
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
        elif options.recurring:
            from kalelite.cli.verb_recurring import begin

            begin(backend, plan, arguments, command)
        else:
            found = resume or (siblings.take(plan, arguments) if siblings else "")
            on = backend.resuming(found) if found else backend
            if not options.no_wait:
                return view.watch(on, plan, arguments)
            run = on.submit(plan, arguments)
            tagging.tag_submitted(run.id, command.home)
            _tell_of(run, command)
        return None

    return act


def _tell_of(run: Submission, command: Command) -> None:
    """Where a run is that nobody waits for."""
    if command.as_json:
        command.write_json({"event": "run_submitted", "run": run.id, "url": run.url})
        return
    command.out.line(run.url, fit="keep")
    command.out.line(f"run {run.id} has started: kalelite follow {run.id} shows it")
