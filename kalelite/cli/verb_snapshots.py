"""``kalelite snapshots``: the states that pipelines have kept, and what can be done with them."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

from kalelite.cli.parser import add_setting
from kalelite.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from kalelite.cli.command import Command
    from kalelite.volumes.folder_snapshots import FolderSnapshot, FolderSnapshots


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to do, and with which."""
    parser.add_argument(
        "action",
        nargs="?",
        choices=("list", "restore", "delete"),
        default="list",
        help="list them (default), make a folder of one, or delete some",
    )
    parser.add_argument("ids", metavar="ID", nargs="*", help="an id, its beginning, or last")
    parser.add_argument("--to", metavar="FOLDER", help="the folder that is made by restore")
    add_setting(parser, "output")
    add_setting(parser, "home")


def perform(command: Command) -> int:
    """List, restore or delete."""
    from kalelite.home_folder import home
    from kalelite.volumes.folder_snapshots import FolderSnapshots

    options, base = command.options, home(command.home)
    snapshots = FolderSnapshots(base)
    if options.to and options.action != "restore":
        raise UsageError("--to goes with restore", hint="kalelite snapshots restore ID --to FOLDER")
    if options.action == "list":
        if options.ids:
            raise UsageError(f"unexpected argument {options.ids[0]!r}")
        _list(command, snapshots.all(), base)
    elif options.action == "restore":
        _restore(command, snapshots)
    else:
        if not options.ids:
            raise UsageError("which snapshot?", hint="kalelite snapshots delete ID ...")
        for each in [_find(snapshots.all(), id) for id in options.ids]:
            snapshots.delete(each.id)
            command.out.line(f"deleted {each.id}")
    return ExitCode.OK


def _list(command: Command, found: list[FolderSnapshot], base: Path) -> None:
    from kalelite.humanize import near_path, size

    if command.as_json:
        for each in found:
            command.write_json(each.as_json())
    elif not found:
        command.out.line(f"no snapshots in {near_path(str(base / 'snapshots'))}")
    else:
        rows = [
            (
                each.id,
                each.volume if each.volume == "workspace" else near_path(each.folder),
                each.run,
                each.step,
                time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(each.time)),
                size(each.size),
            )
            for each in reversed(found)
        ]
        command.out.table(rows, ("snapshot", "of", "run", "step", "taken", "size"))


def _restore(command: Command, snapshots: FolderSnapshots) -> None:
    from kalelite.humanize import count

    options = command.options
    if len(options.ids) != 1 or not options.to:
        raise UsageError(
            "restore takes a snapshot and a folder",
            hint="kalelite snapshots restore ID --to FOLDER",
        )
    found = _find(snapshots.all(), options.ids[0])
    snapshots.restore(found.id, Path(options.to))
    command.out.line(f"restored {found.id} to {options.to}: {count(found.files, 'file')}")


def _find(snapshots: list[FolderSnapshot], id: str) -> FolderSnapshot:
    """The snapshot of that id, or whose id begins so."""
    if not snapshots:
        raise UsageError("there are no snapshots here")
    found = [each for each in snapshots if each.id.startswith(id)]
    found = snapshots[-1:] if id == "last" else found
    if len(found) != 1:
        count = "several snapshots begin" if found else "there is no snapshot that begins"
        names = ", ".join(each.id for each in (found or snapshots)[-5:])
        raise UsageError(f"{count} with {id!r}", hint=f"There are {names}.")
    return found[0]
