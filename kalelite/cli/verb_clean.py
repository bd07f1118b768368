"""``kalelite clean``: free what no run refers to, here and in the cluster."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from kalelite.cli.parser import add_setting
from kalelite.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from kalelite.cli.command import Command
    from kalelite.volumes.leftovers import Leftover

_AGE_OF_VALUES, _AGE_OF_VOLUMES = "1h", "30d"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is freed, and how old it has to be."""
    parser.add_argument("--store", action="store_true", help="values that no run refers to")
    parser.add_argument(
        "--volumes",
        action="store_true",
        help="snapshots, clones and their owners in a namespace of the cluster; never what is in use",
    )
    parser.add_argument(
        "--older-than",
        metavar="TIME",
        help="leave what is younger, as 30m or 2h (default: 1h for values, since runs may still be "
        "going on, and 30d for volumes)",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="with --volumes: show it, and remove nothing"
    )
    parser.add_argument("--namespace", metavar="NAME", help="of the volumes (default: the own one)")
    add_setting(parser, "snapshot_timeout", "how long to wait until a volume is gone")
    for name in ("output", "home", "kfp_context", "kfp_namespace"):
        add_setting(parser, name)


def perform(command: Command) -> int:
    """Free what is asked for."""
    options = command.options
    if not (options.store or options.volumes):
        raise UsageError(
            "clean needs to know what to free",
            hint="kalelite clean --store frees stored values, --volumes what is in the cluster.",
        )
    given = [name for name in ("dry_run", "namespace", "output") if getattr(options, name)]
    if given and not options.volumes:
        raise UsageError(f"--{given[0].replace('_', '-')} goes with --volumes")
    if options.store and options.dry_run:
        raise UsageError("--dry-run shows volumes only", hint="Leave --store out.")
    if options.store:
        _free_values(command)
    if options.volumes:
        try:
            _remove_volumes(command)
        except KeyboardInterrupt as interrupt:
            interrupt.add_note(f"What has not been removed yet goes by {command.line()}")
            raise
    return ExitCode.OK


def _free_values(command: Command) -> None:
    """Free the values. A cached result holds none: it goes with the last run that refers to them."""
    from kalelite.home_folder import home
    from kalelite.humanize import count, near_path, size
    from kalelite.plan.options.duration import seconds
    from kalelite.runs.freeing import free

    out = command.err if command.as_json else command.out
    older_than = seconds(command.options.older_than or _AGE_OF_VALUES, name="--older-than")
    base = home(command.home)
    if not (base / "store").is_dir():
        out.line(f"there is no store in {near_path(str(base))}")
        return
    freed = free(base, older_than=older_than)
    kept = count(freed.kept, "value")
    out.line(f"freed {size(freed.size)} in {count(freed.files, 'file')}; {kept} of runs kept")


def _remove_volumes(command: Command) -> None:
    from kalelite.humanize import count
    from kalelite.plan.options.duration import seconds
    from kalelite.volumes.cluster import Cluster
    from kalelite.volumes.leftovers import find_leftovers, remove_leftovers

    options, out, settings = command.options, command.out, command.settings
    older_than = seconds(options.older_than or _AGE_OF_VOLUMES, name="--older-than")
    timeout = seconds(settings["snapshot_timeout"].value, "snapshot_timeout")
    namespace = options.namespace or settings["kfp_namespace"].value
    cluster = Cluster.open(namespace=namespace, context=settings["kfp_context"].value)
    found = find_leftovers(cluster, time.time(), older_than)
    going = [each for each in found if not each.kept]
    for each in found:
        if each.kept:
            _tell(command, each, "kept")
    if options.dry_run:
        for each in going:
            _tell(command, each, "would go")
    else:
        remove_leftovers(
            cluster, going, deadline=timeout, report=lambda each: _tell(command, each, "removed")
        )
    if not command.as_json:
        deed = "would be removed" if options.dry_run else "removed"
        kept = f", {len(found) - len(going)} kept" if len(going) < len(found) else ""
        out.line(f"{count(len(going), 'object')} {deed} in {cluster.namespace}{kept}")


def _tell(command: Command, each: Leftover, state: str) -> None:
    from kalelite.humanize import duration

    if command.as_json:
        names = {"kind": each.resource.kind, "name": each.name, "run": each.run}
        command.write_json({**names, "age": each.age, "state": state, "why": each.kept})
        return
    run = f", run {each.run}" if each.run else ""
    age = f"{each.age / 86400:.0f} days" if each.age >= 172_800 else duration(each.age)
    why = f": {each.kept}" if each.kept else ""
    command.out.line(f"{state} {each.resource.noun} {each.name} ({age}{run}){why}", fit="keep")
