"""The first half of a run on a cluster: from a notebook's volumes to the volumes of the run.

All or nothing: what was made is removed again if anything fails, or the user interrupts.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace

from kalelite.frozen import frozen
from kalelite.volumes.clone import make_volumes
from kalelite.volumes.cluster import Cluster
from kalelite.volumes.discover import MountedVolume, Notebook, find_claim
from kalelite.volumes.owner import Owner, Role, all_or_nothing, begin_owner
from kalelite.volumes.preflight import Preflight, preflight
from kalelite.volumes.run_volumes import RunVolume, plan_clones, plan_marshal
from kalelite.volumes.snapshot import plan_snapshots, take_snapshots
from kalelite.volumes.snapshot_set import SnapshotSet
from kalelite.volumes.storage_facts import gather
from kalelite.volumes.waiting import Report
from kalelite.volumes.wishes import Wishes, spelled


@frozen
class Prepared:
    """What a run on the cluster starts with.

    Attributes
    ----------
    snapshots
        Of the notebook's volumes.
    clones, marshal
        What every step mounts; no marshal volume if none was asked for.
    made
        Whether they exist. If not, steps of the run have to make them, as
        `kalelite.volumes.provision` does; a lasting marshal volume always exists.
    owner
        What the clones go with, and the files of the run; None if no run was prepared.
    """

    snapshots: SnapshotSet
    clones: tuple[RunVolume, ...] = ()
    marshal: RunVolume | None = None
    made: bool = False
    owner: Owner | None = None


def prepare_volumes(
    cluster: Cluster,
    run: str,
    source: Notebook | SnapshotSet,
    wishes: Wishes,
    *,
    files: Mapping[str, bytes] | None = None,
    report: Report = lambda _: None,
    note: Callable[[str], None] = lambda _: None,
) -> Prepared:
    """Take snapshots of a notebook's volumes, and make clones of them for a run.

    From the `SnapshotSet` of an earlier run, clones alone are made. ``run`` is an id that was not
    used before; ``files`` are carried by the run's owner, such as the bundle of its code.
    ``report`` hears how far each volume is, ``note`` what the user should know.

    Raises `UsageError` for a wish that Kubernetes would refuse, `ClusterError` with all problems
    that were found before anything was made, or with what failed later; then nothing is left.
    """
    wishes = spelled(wishes)
    if isinstance(source, SnapshotSet):
        wishes = replace(wishes, snapshots=False)
    book = source if isinstance(source, Notebook) else _as_notebook(source, cluster.namespace)
    lasting = _lasting(cluster, book, wishes)
    if lasting is not None:
        kept = tuple(each for each in book.volumes if each.claim != lasting.claim)
        book = replace(book, volumes=kept)
    found = preflight(book, gather(cluster), wishes, lasting=lasting, free=_free(source, lasting))
    found.require()
    for text in found.notes:
        note(text)
    with all_or_nothing(cluster, run) as begun:
        if isinstance(source, SnapshotSet):
            taken = source
        else:
            taken = _take(cluster, run, book, wishes, found, begun, report)
        if not wishes.clones:
            return Prepared(taken)
        owner = begin_owner(cluster, run, "run", begun, files)
        clones = plan_clones(
            run,
            [each for each in taken.snapshots if each.volume in book.volumes],
            storage_class=wishes.storage_class,
            access_mode=wishes.access_mode,
        )
        marshal = _marshal_volume(run, wishes, lasting)
        if found.may_clone:
            new = [*clones, *([marshal] if marshal and lasting is None else [])]
            make_volumes(
                cluster, new, owner, late=found.late, deadline=wishes.deadline, report=report
            )
    return Prepared(taken, clones, marshal, made=found.may_clone, owner=owner)


def _take(
    cluster: Cluster,
    run: str,
    book: Notebook,
    wishes: Wishes,
    found: Preflight,
    begun: list[Role],
    report: Report,
) -> SnapshotSet:
    if not book.volumes:
        return SnapshotSet(run, (), book.directory, book.image, book.user, book.group)
    planned = plan_snapshots(run, book.volumes, found.classes)
    if wishes.later:
        return SnapshotSet(run, planned, book.directory, book.image, book.user, book.group)
    owner = begin_owner(cluster, run, "snapshots", begun)
    return take_snapshots(cluster, planned, owner, book, deadline=wishes.deadline, report=report)


def _as_notebook(taken: SnapshotSet, namespace: str) -> Notebook:
    """What a notebook was when its snapshots were taken, whatever it is now."""
    volumes = tuple(each.volume for each in taken.snapshots)
    return Notebook(namespace, "", "", taken.image, True, taken.directory, volumes)


def _lasting(cluster: Cluster, book: Notebook, wishes: Wishes) -> MountedVolume | None:
    """The lasting marshal claim, where the notebook mounts it unless another path is asked for."""
    name = wishes.marshal_volume
    if not isinstance(name, str):
        return None
    own = next((each.path for each in book.volumes if each.claim == name), "")
    return find_claim(cluster, name, wishes.marshal_path or own or _MARSHAL_PATH)


def _free(source: Notebook | SnapshotSet, lasting: MountedVolume | None) -> int | None:
    """The bytes that are free on the lasting marshal volume, if it is mounted here."""
    if lasting is None or isinstance(source, SnapshotSet) or not source.here:
        return None
    paths = [each.path for each in source.volumes if each.claim == lasting.claim]
    return shutil.disk_usage(paths[0]).free if paths else None


def _marshal_volume(run: str, wishes: Wishes, lasting: MountedVolume | None) -> RunVolume | None:
    if lasting is not None:
        return RunVolume(
            lasting.claim, lasting.path, lasting.size, lasting.modes, lasting.storage_class
        )
    if not wishes.marshal_volume:
        return None
    return plan_marshal(
        run,
        size=wishes.marshal_volume_size or "5Gi",
        path=wishes.marshal_path or _MARSHAL_PATH,
        access_mode=wishes.access_mode or "ReadWriteOnce",
        storage_class=wishes.storage_class,
    )


_MARSHAL_PATH = "/marshal"
