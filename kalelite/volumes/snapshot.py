"""Snapshots of a notebook's volumes: planned, taken together, awaited together."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace

from kalelite.volumes.cluster import Cluster
from kalelite.volumes.discover import MountedVolume, Notebook
from kalelite.volumes.marking import marked
from kalelite.volumes.owner import Owner
from kalelite.volumes.provision import is_of_run
from kalelite.volumes.resources import SNAPSHOTS, Json
from kalelite.volumes.snapshot_set import (
    Snapshot,
    SnapshotSet,
    manifest_of,
    snapshot_name,
)
from kalelite.volumes.waiting import (
    DEADLINE,
    Action,
    Awaited,
    Observed,
    Report,
    Verdict,
    wait_all,
    why_lost,
)

_QUIET = 30.0
"""Seconds without any status after which somebody should look at the controller."""


def plan_snapshots(
    run: str, volumes: Sequence[MountedVolume], classes: Mapping[str, str | None]
) -> tuple[Snapshot, ...]:
    """The snapshots to take. ``classes`` are the snapshot classes by claim; None is the default."""
    return tuple(
        Snapshot(snapshot_name(volume.claim, run), run, volume, classes.get(volume.claim))
        for volume in volumes
    )


def take_snapshots(
    cluster: Cluster,
    planned: Sequence[Snapshot],
    owner: Owner,
    book: Notebook,
    *,
    deadline: float = DEADLINE,
    report: Report = lambda _: None,
) -> SnapshotSet:
    """Take all snapshots at one moment, and wait until each is ready.

    Files are written out first, and each volume that this process can write to is marked.

    Raises `VolumeError` if one is not ready at the deadline; errors that the driver reports on the
    way are not final, as the controller tries again.
    """
    run = owner.run
    with ExitStack() as marks:
        known = _mark(marks, run, planned) if book.here else frozenset()
        planned = [replace(each, marked=each.volume.path in known) for each in planned]
        taken = SnapshotSet(run, tuple(planned), book.directory, book.image, book.user, book.group)
        made = [
            _create(cluster, run, manifest_of(name, taken, owner.reference()))
            for name in _names(planned)
        ]
        awaited = [
            Awaited(SNAPSHOTS, each["metadata"]["name"], each["metadata"]["uid"], _claim_of(each))
            for each in made
        ]
        ready = wait_all(cluster, awaited, step, deadline=deadline, report=report)
    sizes = {each["metadata"]["name"]: each["status"].get("restoreSize") or "" for each in ready}
    return replace(taken, snapshots=tuple(replace(each, size=sizes[each.name]) for each in planned))


def step(observed: Observed) -> Verdict:
    """What the state of a snapshot means.

    Only ``readyToUse`` says that it is ready. ``status.error`` is the last error: it may go away
    by itself, so it is fatal at the deadline only.
    """
    found = observed.found
    lost = why_lost(found)
    if found is None or lost:
        return Verdict(Action.FAIL, lost)
    status = found.get("status") or {}
    if status.get("readyToUse"):
        return Verdict(Action.DONE)
    error = (status.get("error") or {}).get("message", "")
    note = error or observed.event
    hint = _HINT_ERROR if error else _HINT_NO_WORD
    if not status and observed.age >= _QUIET:
        note = note or "no controller has taken notice of it"
        hint = _HINT_NO_CONTROLLER
    if observed.age < observed.deadline:
        return Verdict(Action.WAIT, note)
    return Verdict(Action.FAIL, note or "it did not get ready, and nobody says why", hint)


def _mark(marks: ExitStack, run: str, planned: Sequence[Snapshot]) -> frozenset[str]:
    """Mark the volumes and have everything written reach the disks; the paths that are marked."""
    paths = {each.volume.path for each in planned if not each.volume.read_only}
    known = frozenset(path for path in paths if marks.enter_context(marked(path, run)))
    os.sync()
    return known


def _names(planned: Sequence[Snapshot]) -> list[str]:
    """The snapshots to make: one for each claim, however often it is mounted."""
    return list(dict.fromkeys(each.name for each in planned))


def _create(cluster: Cluster, run: str, body: Json) -> Json:
    source = body["spec"]["source"]
    return cluster.create(
        SNAPSHOTS,
        body,
        mine=lambda found: is_of_run(found, run) and found["spec"]["source"] == source,
    )


def _claim_of(snapshot: Json) -> str:
    return str(snapshot["spec"]["source"]["persistentVolumeClaimName"])


_HINT_ERROR = "That is the storage driver's own message: its administrator can tell more."
_HINT_NO_WORD = (
    "Does the volume's driver run, and can it make snapshots? snapshot_timeout= gives slow storage"
    " more time."
)
_HINT_NO_CONTROLLER = "Does the snapshot controller run in this cluster?"
