"""The list of runs, as a page from which they are opened and compared."""

from __future__ import annotations

import time
from pathlib import Path

from kalelite.humanize import count, duration
from kalelite.runs.pipeline_run import Run, list_runs
from kalelite.runs.report.markup import Markup, checkbox, element, section, shown, table
from kalelite.runs.report.web_page import Site, state_badge, web_page
from kalelite.runs.run_dirs import run_names

_ON_A_PAGE = 100


def run_list_page(home: Path, page: str = "1") -> str:
    """The page of that number, from 1, of the list of all runs, the newest first."""
    total = len(run_names(home / "runs"))
    last = max(-(-total // _ON_A_PAGE), 1)
    number = min(max(int(page), 1), last) if page.isdecimal() and len(page) < 9 else 1
    runs = list_runs(folder=home, limit=_ON_A_PAGE, skip=(number - 1) * _ON_A_PAGE)
    rows = [_row(run) for run in runs]
    heads = ("Run", "State", "Pipeline", "Name", "Started", "Took")
    button = element("p", element("button", "Compare the marked runs", type="submit"))
    form = element("form", table("All runs", heads, rows), button, action="/compare", method="get")
    body = form if rows else element("p", "There is no run yet. This page shows it when it begins.")
    head = [element("h1", "Runs"), element("p", count(total, "run"), class_="soft")]
    content = section("runs", "All runs", body, _pages(number, last))
    return web_page("Runs", head, content, site=Site(live=True))


def _row(run: Run) -> tuple[Markup, ...]:
    started = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(run.data["started"]))
    box = checkbox("run", run.id, f"compare run {run.id}")
    return (
        shown(box, " ", element("a", run.id, href=f"/runs/{run.id}")),
        state_badge(run.state),
        shown(run.pipeline),
        shown(run.tags.name),
        shown(started),
        shown(duration(run.seconds)),
    )


def _pages(number: int, last: int) -> Markup:
    if last == 1:
        return Markup("")
    links = []
    if number > 1:
        links.append(element("a", "Newer runs", href=f"/?page={number - 1}"))
    if number < last:
        links.append(element("a", "Older runs", href=f"/?page={number + 1}"))
    items = (element("li", link) for link in links)
    return element("nav", element("ul", *items), aria_label=f"Page {number} of {last}")
