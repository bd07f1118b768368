"""A run as one page that needs nothing else: graph, steps, metrics, artifacts, logs, code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from kalelite.humanize import count, duration, moment
from kalelite.picture.svg import svg_of
from kalelite.plan.options.secrecy import without_secret
from kalelite.runs.artifacts_html import artifacts_html
from kalelite.runs.diagram_file import read_diagram
from kalelite.runs.logged import artifacts_of
from kalelite.runs.pipeline_run import Run
from kalelite.runs.report.curves import plots
from kalelite.runs.report.markup import Markup, element, section, shown, table
from kalelite.runs.report.step_details import Details, anchor, environment
from kalelite.runs.report.web_page import Site, contents, state_badge, web_page
from kalelite.runs.run_picture import states_of
from kalelite.runs.task_state import TaskState

IN_A_FILE = Site()


def run_page(run: Run, site: Site = IN_A_FILE) -> str:
    """The page of a run, as it is now."""
    tasks = run.tasks
    sections = {
        "graph": ("Graph", [_graph(run, tasks)]),
        "steps": ("Steps", [_steps(tasks)]),
        "parameters": ("Parameters", [_parameters(run)]),
        "metrics": ("Metrics", list(_metrics(run))),
        "artifacts": ("Artifacts", [Markup(artifacts_html(artifacts_of(tasks)))]),
        "details": ("Logs and code", list(Details(run).of(tasks))),
        "environment": ("Environment", [environment(run, tasks)]),
    }
    made = {id: section(id, title, *parts) for id, (title, parts) in sections.items()}
    links = [(id, sections[id][0]) for id, text in made.items() if text]
    name = f"{run.pipeline} {run.id}"
    return web_page(name, [*_head(run, tasks), contents(*links)], *made.values(), site=site)


def _head(run: Run, tasks: Mapping[str, TaskState]) -> Iterator[Markup]:
    yield element("h1", run.pipeline, " ", state_badge(run.state))
    took = "for" if run.state == "running" else "in"
    more = f", goes on from {run.resumes}" if run.resumes else ""
    steps = count(len(tasks), "step")
    yield element(
        "p",
        f"run {run.id}, started {moment(run.data['started'])}, "
        f"{took} {duration(run.seconds)}, {steps}{more}",
        class_="soft",
    )
    for title, text in run.tags.rows():
        yield element("p", f"{title}: {text}", class_="soft")
    failed = [name for name, task in tasks.items() if task.status == "failed"]
    for name in failed[:3]:
        record = tasks[name].record
        failure = record.failure if record is not None else None
        message = f": {failure.message[:300]}" if failure is not None else ""
        link = element("a", f"{name} failed", href=f"#{anchor(name)}")
        yield element("p", shown(link, message), role="alert")


def _graph(run: Run, tasks: Mapping[str, TaskState]) -> Markup:
    diagram = read_diagram(run.folder)
    if diagram is None:
        return Markup("")
    states = states_of(tasks)
    svg = svg_of(diagram, states=states, href=lambda task: f"#{anchor(task)}")
    about = shown(*(element("p", text, class_="soft") for text in diagram.about[:1] if text))
    hint = "A click on a step opens its log and its code."
    return shown(
        about,
        element(
            "div",
            Markup(svg),
            class_="graph scroll",
            tabindex="0",
            role="group",
            aria_label="Graph",
        ),
        element("p", hint, class_="soft"),
    )


def _steps(tasks: Mapping[str, TaskState]) -> Markup:
    rows = [_row(name, task) for name, task in tasks.items()]
    return table("The steps of the run", ("Step", "State", "Time", "Values"), rows)


def _row(name: str, task: TaskState) -> Sequence[str]:
    record = task.record
    values = [
        f"{output} = {entry.get('preview') or entry.get('type', '')}"
        for output, entry in (record.outputs.items() if record is not None else ())
    ]
    failure = record.failure if record is not None else None
    note = failure.message[:200] if failure is not None else task.reason
    attempt = f", attempt {record.attempt}" if record is not None and record.attempt > 1 else ""
    timed = task.seconds is not None and task.status != "cached"
    seconds = duration(task.seconds or 0.0) + attempt if timed else ""
    link = element("a", name, href=f"#{anchor(name)}")
    return link, state_badge(task.status), seconds, ", ".join(values) or note


def _parameters(run: Run) -> Markup:
    if not run.parameters:
        return Markup("")
    rows = [(name, without_secret(name, str(value))) for name, value in run.parameters.items()]
    return table("Parameters", ("Parameter", "Value"), rows)


def _metrics(run: Run) -> Iterator[Markup]:
    curves = run.curves
    if not curves:
        return
    rows = [
        (name, f"{points[-1][1]:.6g}", str(len(points)) if len(points) > 1 else "")
        for name, points in curves.items()
    ]
    yield table("The last values of the metrics", ("Metric", "Last value", "Points"), rows)
    yield plots({"": curves})
