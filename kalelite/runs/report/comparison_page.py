"""Runs beside each other, as a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kalelite.humanize import duration, moment
from kalelite.runs.comparison import CodeChange, Comparison, Row, compare
from kalelite.runs.pipeline_run import Run
from kalelite.runs.report.curves import plots
from kalelite.runs.report.markup import Markup, element, section, shown, table
from kalelite.runs.report.web_page import Site, contents, state_badge, web_page

IN_A_FILE = Site()


def comparison_page(runs: Sequence[Run], site: Site = IN_A_FILE) -> str:
    """The page that compares runs."""
    found = compare(runs)
    labels = [f"{number}" for number in range(1, len(runs) + 1)]
    curves = {f"run {label}": run.curves for label, run in zip(labels, runs, strict=True)}
    sections = {
        "runs": ("Runs", [_runs(found, labels, site)]),
        "parameters": ("Parameters", [_beside("Parameters", found.parameters, labels)]),
        "metrics": ("Metrics", [_beside("Metrics", found.metrics, labels), plots(curves)]),
        "times": ("Times", [_beside("Times", found.times, labels, marking=False)]),
        "code": ("Code", list(_code(found))),
        "packages": ("Packages", [_beside("Packages", found.packages, labels)]),
    }
    made = {id: section(id, title, *parts) for id, (title, parts) in sections.items()}
    links = [(id, sections[id][0]) for id, text in made.items() if text]
    title = f"{len(runs)} runs compared"
    head = [element("h1", title), contents(*links)]
    return web_page(title, head, *made.values(), site=site)


def _runs(found: Comparison, labels: Sequence[str], site: Site) -> Markup:
    rows = [
        (
            label,
            element("a", run.id, href=f"{site.home}runs/{run.id}") if site.home else run.id,
            run.pipeline,
            state_badge(run.state),
            moment(run.data["started"]),
            duration(run.seconds),
        )
        for label, run in zip(labels, found.runs, strict=True)
    ]
    return table("The runs", ("Run", "Id", "Pipeline", "State", "Started", "Took"), rows)


def _beside(
    caption: str, rows: Sequence[Row], labels: Sequence[str], *, marking: bool = True
) -> Markup:
    if not rows:
        return Markup("")
    heads = ("Name", *(f"Run {label}" for label in labels))
    marked = [
        (row.name, *(_marked(value) if marking and row.differs else value for value in row.values))
        for row in rows
    ]
    return table(caption, heads, marked)


def _marked(value: str) -> Markup:
    return element("mark", value or "-")


def _code(found: Comparison) -> Iterator[Markup]:
    if not found.code:
        yield element("p", "The code is the same.")
    for change in found.code:
        title = element(
            "h3", change.file, element("span", f" run 1 and run {change.other + 1}", class_="soft")
        )
        yield shown(title, _diff(change))


def _diff(change: CodeChange) -> Markup:
    tags = {"+": "ins", "-": "del"}
    lines = (
        element(tags[line[0]], f"{line}\n") if line[:1] in tags else f"{line}\n"
        for line in change.lines
    )
    label = f"What changed in {change.file}"
    return element("pre", *lines, tabindex="0", role="group", aria_label=label)
