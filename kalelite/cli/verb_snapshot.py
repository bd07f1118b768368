"""``kalelite snapshot``: take snapshots of all volumes of a notebook."""

from __future__ import annotations

import argparse
import os
import time
from typing import TYPE_CHECKING

from kalelite.cli.parser import add_setting
from kalelite.errors import ExitCode

if TYPE_CHECKING:
    from kalelite.cli.command import Command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which notebook, and how."""
    parser.add_argument("--pod", metavar="NAME", help="the notebook's pod (default: this one)")
    parser.add_argument("--namespace", metavar="NAME", help="where that pod is (default: here)")
    parser.add_argument(
        "--directory", metavar="FOLDER", help="the folder one works in (default: this one)"
    )
    add_setting(parser, "snapshot_class")
    add_setting(parser, "snapshot_timeout")
    add_setting(parser, "output")


def perform(command: Command) -> int:
    """Take them all at one moment, wait for each, and print what there is then."""
    from kalelite.cli.volume_progress import VolumeLines
    from kalelite.plan.options.duration import seconds
    from kalelite.volumes.cluster import Cluster
    from kalelite.volumes.discover import notebook
    from kalelite.volumes.prepare_volumes import prepare_volumes
    from kalelite.volumes.wishes import Wishes

    options, settings, out = command.options, command.settings, command.out
    wishes = Wishes(
        snapshot_class=settings["snapshot_class"].value,
        clones=False,
        deadline=seconds(settings["snapshot_timeout"].value, "snapshot_timeout"),
    )
    cluster = Cluster.open(namespace=options.namespace)
    book = notebook(cluster, options.pod, directory=options.directory)
    taken = prepare_volumes(
        cluster,
        f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{os.urandom(3).hex()}",
        book,
        wishes,
        report=VolumeLines(command.err if command.as_json else out),
        note=command.err.line,
    ).snapshots
    if command.as_json:
        command.write_json({"snapshots": taken, "namespace": cluster.namespace})
        return ExitCode.OK
    rows = [
        (
            each.volume.path,
            each.volume.claim,
            each.size or each.volume.size,
            each.name,
            "workspace" if each.volume.workspace else "",
        )
        for each in taken.snapshots
    ]
    out.line()
    out.table(rows, ("mounted at", "claim", "size", "snapshot", ""))
    out.line(f"snapshots {taken.run} in namespace {cluster.namespace}")
    return ExitCode.OK
