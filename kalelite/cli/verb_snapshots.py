"""``kalelite snapshots``: the states that pipelines have kept, and what can be done with them."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from kalelite.cli.parser import add_setting
from kalelite.errors import ClusterError, ExitCode, UsageError

if TYPE_CHECKING:
    from kalelite.cli.command import Command
    from kalelite.volumes.cluster import Cluster
    from kalelite.volumes.folder_snapshots import FolderSnapshot, FolderSnapshots
    from kalelite.volumes.past_snapshots import ClusterSnapshot

    _AnySnapshot = TypeVar("_AnySnapshot", bound=FolderSnapshot | ClusterSnapshot)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to do, and with which."""
    parser.add_argument(
        "action",
        nargs="?",
        choices=("list", "restore", "delete"),
        default="list",
        help="list them (default), make a folder or a claim of one, or delete some",
    )
    parser.add_argument("ids", metavar="ID", nargs="*", help="an id, its beginning, or last")
    parser.add_argument("--to", metavar="FOLDER", help="the folder that is made by restore")
    parser.add_argument("--claim", metavar="NAME", help="the claim that is made by restore")
    parser.add_argument(
        "--namespace", metavar="NAME", help="those of the cluster, too (in a pod: its own)"
    )
    add_setting(parser, "storage_class", "of the claim (default: as it was)")
    add_setting(parser, "output")
    add_setting(parser, "home")


def perform(command: Command) -> int:
    """List, restore or delete."""
    from kalelite.home_folder import home
    from kalelite.volumes.folder_snapshots import FolderSnapshots

    options, base = command.options, home(command.home)
    snapshots = FolderSnapshots(base)
    for name in ("to", "claim", "storage_class"):
        if getattr(options, name) and options.action != "restore":
            flag = name.replace("_", "-")
            hint = "kalelite snapshots restore ID --to FOLDER, or --claim NAME"
            raise UsageError(f"--{flag} goes with restore", hint=hint)
    if options.action == "list":
        if options.ids:
            raise UsageError(f"unexpected argument {options.ids[0]!r}")
        _list(command, snapshots.all(), _in_cluster(command), base)
    elif options.action == "restore":
        _restore(command, snapshots)
    else:
        if not options.ids:
            raise UsageError("which snapshot?", hint="kalelite snapshots delete ID ...")
        _delete(command, snapshots)
    return ExitCode.OK


def _cluster(command: Command) -> Cluster | None:
    """The cluster, where it is asked for, or this is one of its pods."""
    from kalelite.volumes.cluster import Cluster

    namespace = command.options.namespace
    if namespace or "KUBERNETES_SERVICE_HOST" in os.environ:
        return Cluster.open(namespace=namespace)
    return None


def _in_cluster(command: Command) -> list[ClusterSnapshot]:
    """Those of the cluster; in a pod that may not list them a note says so."""
    from kalelite.volumes.past_snapshots import list_snapshots

    try:
        cluster = _cluster(command)
        return list_snapshots(cluster) if cluster else []
    except ClusterError as error:
        if command.options.namespace:
            raise
        command.err.line(f"snapshots of the cluster are not listed: {error.message}")
        return []


def _list(
    command: Command, here: list[FolderSnapshot], there: list[ClusterSnapshot], base: Path
) -> None:
    from kalelite.humanize import near_path, size

    if command.as_json:
        for each in here:
            command.write_json(each.as_json())
        for one in there:
            command.write_json({field.name: getattr(one, field.name) for field in fields(one)})
        return
    if not here and not there:
        where = f" or in namespace {command.options.namespace}" if command.options.namespace else ""
        command.out.line(f"no snapshots in {near_path(str(base / 'snapshots'))}{where}")
        return
    rows = [
        (
            each.id,
            each.volume if each.volume == "workspace" else near_path(each.folder),
            each.run,
            each.step,
            _time(each.time),
            size(each.size),
        )
        for each in reversed(here)
    ]
    rows += [
        (
            one.id,
            f"claim {one.claim}",
            one.run,
            one.step,
            _time(one.time),
            one.size if one.ready else "not ready",
        )
        for one in reversed(there)
    ]
    command.out.table(rows, ("snapshot", "of", "run", "step", "taken", "size"))


def _time(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


def _restore(command: Command, snapshots: FolderSnapshots) -> None:
    from kalelite.humanize import count

    options = command.options
    if len(options.ids) != 1 or bool(options.to) == bool(options.claim):
        raise UsageError(
            "restore takes a snapshot and a folder, or a claim",
            hint="kalelite snapshots restore ID --to FOLDER, or --claim NAME in a cluster.",
        )
    if options.to:
        if options.namespace or options.storage_class:
            raise UsageError("--namespace and --storage-class go with --claim")
        found = _find(snapshots.all(), options.ids[0])
        snapshots.restore(found.id, Path(options.to))
        command.out.line(f"restored {found.id} to {options.to}: {count(found.files, 'file')}")
        return
    from kalelite.volumes.clone import restore_snapshot
    from kalelite.volumes.past_snapshots import list_snapshots

    cluster = _cluster(command)
    if cluster is None:
        raise UsageError("a claim is made in a cluster", hint="Name its namespace: --namespace.")
    one = _find(list_snapshots(cluster), options.ids[0])
    restore_snapshot(cluster, one.id, options.claim, storage_class=options.storage_class)
    command.out.line(f"claim {options.claim} in {cluster.namespace} is made of snapshot {one.id}")


def _delete(command: Command, snapshots: FolderSnapshots) -> None:
    from kalelite.volumes.folder_snapshots import FolderSnapshot
    from kalelite.volumes.past_snapshots import delete_snapshot

    here, there = snapshots.all(), _in_cluster(command)
    both: list[FolderSnapshot | ClusterSnapshot] = [*here, *there]
    for each in [_find(both, id) for id in command.options.ids]:
        if isinstance(each, FolderSnapshot):
            snapshots.delete(each.id)
        else:
            cluster = _cluster(command)
            assert cluster is not None
            delete_snapshot(cluster, each.id, now=time.time())
        command.out.line(f"deleted {each.id}")


def _find(snapshots: Sequence[_AnySnapshot], id: str) -> _AnySnapshot:
    """The snapshot of that id, or whose id begins so."""
    if not snapshots:
        raise UsageError("there are no snapshots here")
    found = [each for each in snapshots if each.id.startswith(id)]
    found = [each for each in found if each.id == id] or found
    found = [max(snapshots, key=lambda each: each.time)] if id == "last" else found
    if len(found) != 1:
        count = "several snapshots begin" if found else "there is no snapshot that begins"
        names = ", ".join(each.id for each in (found or snapshots)[-5:])
        raise UsageError(f"{count} with {id!r}", hint=f"There are {names}.")
    return found[0]
