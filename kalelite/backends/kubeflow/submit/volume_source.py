"""The volumes that the steps of a run get clones of: those of the notebook that submits it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from kalelite.backends.kubeflow.compile.compile_settings import Clone
from kalelite.backends.kubeflow.compile.kfp_options import NEWEST, lacks_sub_path
from kalelite.errors import ClusterError, UsageError
from kalelite.volumes.discover import MountedVolume, Notebook, notebook
from kalelite.volumes.past_snapshots import read_snapshots

if TYPE_CHECKING:
    from kalelite.volumes.cluster import Cluster
    from kalelite.volumes.run_volumes import RunVolume
    from kalelite.volumes.snapshot_set import SnapshotSet


def volume_source(
    cluster: Cluster, snapshot: str, environ: Mapping[str, str], note: Callable[[str], None]
) -> tuple[Notebook | SnapshotSet | None, list[MountedVolume]]:
    """Where a run starts from, and the volumes of that; ``snapshot`` is an earlier run's, if any."""
    if snapshot:
        taken = read_snapshots(cluster, snapshot)
        return taken, [each.volume for each in taken.snapshots]
    book = _notebook_of(cluster, environ, note)
    return book, list(book.volumes) if book else []


def _notebook_of(
    cluster: Cluster, environ: Mapping[str, str], note: Callable[[str], None]
) -> Notebook | None:
    """The notebook that this runs in, if its volumes can be those of a run."""
    try:
        found = notebook(cluster, environ=environ)
    except (UsageError, ClusterError):
        return None
    if not found.volumes:  # else it is told with what else there is to say of those
        for other in found.others:
            note(f"{other.path or other.name} is not in the run: {other.why}")
    return found


def check_mounts(
    volumes: Sequence[MountedVolume], version: str | None, note: Callable[[str], None]
) -> None:
    """Raise `ClusterError` for a mount that the steps could not have on this version of KFP."""
    for volume in volumes:
        for message, hint in lacks_sub_path(version or NEWEST) if volume.sub_path else ():
            raise ClusterError(f"{volume.path} is a folder of {volume.claim}: {message}", hint=hint)
        if volume.read_only:
            note(
                f"{volume.path} is mounted read-only here; steps could write to their clone of it, "
                "and the original stays as it is"
            )


def clones_of(planned: Sequence[RunVolume], *, made: bool) -> tuple[Clone, ...]:
    """The clones as the compiler takes them; ``made``: their claims are there, no task makes them."""
    return tuple(
        Clone(
            claim=each.source,
            path=each.path,
            size=each.size,
            snapshot=each.snapshot or "",
            storage_class=each.storage_class,
            access_modes=each.modes,
            workspace=each.workspace,
            made=each.claim if made else "",
            sub_path=each.sub_path,
            mark=each.mark,
        )
        for each in planned
    )
