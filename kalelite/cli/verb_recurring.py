"""``kalelite recurring``: pipelines that Kubeflow Pipelines runs by a schedule."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from kalelite.cli.parser import add_setting
from kalelite.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from kalelite.authoring.backends import Backend, Recurring
    from kalelite.cli.command import Command
    from kalelite.plan.graph import Plan


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to do, and with which."""
    parser.add_argument(
        "action",
        nargs="?",
        choices=("list", "enable", "disable", "delete"),
        default="list",
        help="list them (default), let some start runs or none, or delete them with their snapshots, "
        "if no run of them goes on",
    )
    parser.add_argument("ids", metavar="ID", nargs="*", help="an id, its beginning, or a name")
    for name in ("output", "home", "kfp_host", "kfp_context", "kfp_namespace"):
        add_setting(parser, name)


def perform(command: Command) -> int:
    """List, enable, disable or delete."""
    options = command.options
    schedules = command.open_backend("kubeflow").schedules()
    known = schedules.all()
    if options.action == "list":
        if options.ids:
            raise UsageError(f"unexpected argument {options.ids[0]!r}")
        _list(command, known)
        return ExitCode.OK
    if not options.ids:
        raise UsageError("which one?", hint=f"kalelite recurring {options.action} ID ...")
    for one in [_find(known, id) for id in options.ids]:
        getattr(schedules, options.action)(one.id)
        done = f"{options.action}d"
        if command.as_json:
            command.write_json({"event": done, "recurring": one.id, "name": one.name})
        else:
            command.out.line(f"{done} {one.name} ({one.id})")
    return ExitCode.OK


def _list(command: Command, found: Sequence[Recurring]) -> None:
    if command.as_json:
        for one in found:
            command.write_json(_as_json(one))
        return
    if not found:
        command.out.line(
            "nothing recurs: kalelite train.py --kfp --recurring '0 6 * * *' begins it"
        )
        return
    rows = [
        (
            one.id,
            one.name,
            one.cron,
            ("enabled", "green") if one.enabled else ("disabled", "yellow"),
            _moment(one.times[0]) if one.times else "",
        )
        for one in found
    ]
    command.out.table(rows, ("id", "name", "schedule (UTC)", "state", "next"))


def _find(known: Sequence[Recurring], id: str) -> Recurring:
    found = [one for one in known if one.id.startswith(id) or one.name == id]
    if len(found) != 1:
        title = (
            "several begin with or are called"
            if found
            else "nothing that recurs has the id or name"
        )
        shown = ", ".join(one.id for one in found or known) or "none"
        raise UsageError(f"{title} {id!r}", hint=f"There are {shown}.")
    return found[0]


def begin(backend: Backend, plan: Plan, arguments: Mapping[str, Any], command: Command) -> None:
    """Let a plan recur as ``--recurring`` says; tell where it is, and when its runs start."""
    from kalelite.plan.cron import Cron

    cron = Cron.parse(command.options.recurring)
    fresh = command.options.fresh_snapshots
    one = backend.schedules().start(plan, arguments, cron, fresh=fresh)
    if command.as_json:
        command.write_json({"event": "recurring_started", **_as_json(one)})
        return
    command.out.line(one.url, fit="keep")
    command.out.line(f"{one.name} recurs by {one.cron} (UTC); the next runs:")
    for at in one.times:
        command.out.line(f"  {_moment(at)}")
    command.out.line(f"kalelite recurring delete {one.id} ends it")


def _moment(at: datetime) -> str:
    """A time in UTC, and as it is here if that is another."""
    here = at.astimezone()
    local = "" if here.utcoffset() == at.utcoffset() else f", here {here:%a %H:%M}"
    return f"{at:%a %Y-%m-%d %H:%M} UTC{local}"


def _as_json(one: Recurring) -> dict[str, Any]:
    return {
        "recurring": one.id,
        "name": one.name,
        "cron": one.cron,
        "enabled": one.enabled,
        "next": [at.isoformat() for at in one.times],
        "url": one.url,
    }
