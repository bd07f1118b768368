"""``kalelite show RUN``: what each task of a run did."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from kalelite.cli.parser import add_setting
from kalelite.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kalelite.cli.command import Command
    from kalelite.runs.run_files import KfpData
    from kalelite.runs.task_state import TaskState


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The run."""
    parser.add_argument(
        "run", metavar="RUN", nargs="?", default="last", help="a run's id, or last (the default)"
    )
    parser.add_argument(
        "--html", metavar="FILE", help="write it as a page that needs nothing else; - is the output"
    )
    add_setting(parser, "output")
    add_setting(parser, "home")


def perform(command: Command) -> int:
    """Print the state, the values, the metrics and the failures of a run."""
    from kalelite.display.error_view import failure_lines
    from kalelite.display.run_progress import status_of
    from kalelite.display.summary import artifact_rows, metric_rows, preview, print_section
    from kalelite.humanize import duration, near_path
    from kalelite.runs.pipeline_run import Run

    run, out = Run.open(command.options.run, folder=command.home), command.out
    if command.options.html:
        from kalelite.cli.page_file import write_page

        write_page([run], command.options.html, out)
        return ExitCode.OK
    tasks = run.tasks
    if command.as_json:
        more = {"run": run.id, "state": run.state, "tasks": list(tasks.values())}
        more |= run.tags.as_json()
        command.write_json({**run.data, **more})
        return ExitCode.OK
    records = {name: task.record for name, task in tasks.items() if task.record is not None}
    folders = {name: task.folder for name, task in tasks.items() if task.folder is not None}
    status = status_of(run.state)
    head = f"{status.symbol} {run.pipeline} {run.state}"
    out.line((head, f"bold {status.color}"), f" in {duration(run.seconds)}")
    values = [
        (f"{name}.{output}", preview(entry))
        for name, record in records.items()
        for output, entry in record.outputs.items()
    ]
    # A text may stand for a value that JSON does not have: so none of them has quotes.
    parameters = [(name, str(value)) for name, value in run.parameters.items()]
    print_section("tags", run.tags.rows(), out)
    print_section("parameters", parameters, out)
    print_section("steps", [(name, _state(task)) for name, task in tasks.items()], out)
    print_section("values", values, out)
    print_section("metrics", list(metric_rows(records)), out)
    print_section("artifacts", list(artifact_rows(records, folders)), out, fit="keep")
    experiment = run.data.get("experiment")
    print_section("experiment", [(experiment, "")] if experiment else [], out)
    print_section("run", [(near_path(str(run.folder)), "")], out)
    print_section("volume", list(_until(run.data.get("kfp"), run.id)), out, fit="keep")
    for name, record in records.items():
        if record.failure is not None:
            out.line()
            out.line((f"✗ {name}", "bold red"))
            out.lines(failure_lines(record.failure, out.width))
    return ExitCode.OK


def _until(kfp: KfpData | None, run: str) -> Iterator[tuple[str, str]]:
    """How long the volume of a run on Kubeflow is there, with what brings its values from it."""
    import time

    until = kfp.get("until") if kfp else None
    if until and time.time() < until:
        yield f"kept until {time.strftime('%d %b, %H:%M', time.localtime(until))}", ""
        yield f"kalelite get {run} STEP --fetch brings a value", ""
    elif until:
        yield "gone: Kubeflow has removed it, with the values", ""


def _state(task: TaskState) -> str:
    from kalelite.display.run_progress import Status, status_of
    from kalelite.humanize import duration

    status, seconds = status_of(task.status), task.seconds
    timed = seconds is not None and status is not Status.CACHED
    took = f" in {duration(seconds or 0.0)}" if timed else ""
    reason = f": {task.reason}" if task.reason else ""
    return f"{status.symbol} {task.status}{took}{reason}"
