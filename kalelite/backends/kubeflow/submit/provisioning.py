"""What a run finds in the cluster when it starts: its volumes and its code.

Who may make claims and config maps makes them before the run: then no task of it has to. From
elsewhere tasks of the pipeline do.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from kalelite.backends.kubeflow.compile.compile_settings import CodeMap, Settings
from kalelite.backends.kubeflow.submit.opened_volume import has_users, open_volume
from kalelite.backends.kubeflow.submit.run_claim import marshal_claim, wishes_of
from kalelite.backends.kubeflow.submit.run_owner import give_to_workflow, may_clone, obstacle_to
from kalelite.backends.kubeflow.submit.volume_source import check_mounts, clones_of, volume_source
from kalelite.errors import ClusterError
from kalelite.frozen import frozen
from kalelite.volumes.owner import Owner, all_or_nothing, begin_owner, withdraw
from kalelite.volumes.prepare_volumes import Prepared, prepare_volumes

if TYPE_CHECKING:
    from kalelite.plan.graph import Plan
    from kalelite.volumes.cluster import Cluster
    from kalelite.volumes.discover import MountedVolume, Notebook
    from kalelite.volumes.snapshot_set import SnapshotSet
    from kalelite.volumes.waiting import Report


@frozen
class Provided:
    """The settings of the compilation, with what was made for the run; ``owner`` owns that."""

    settings: Settings
    owner: Owner | None = None


class Supply:
    """Makes what a run needs, as far as that may be made from here.

    In a notebook of the namespace of the runs, its volumes are snapshotted and cloned; or those of
    an earlier ``snapshot`` are, which is a run's id, or one that a step has taken.
    """

    def __init__(
        self,
        cluster: Cluster | None,
        plan: Plan,
        settings: Settings,
        *,
        snapshot: str = "",
        report: Report = lambda _: None,
        note: Callable[[str], None] = lambda _: None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._cluster = cluster
        self._plan = plan
        self._settings = settings
        self._snapshot = snapshot
        self._report = report
        self._note = note
        self._environ = environ

    def __call__(self, run: str, bundle: bytes) -> Provided:
        """Make it for a run of this id; raises `ClusterError`, and then nothing is left."""
        settings, cluster = self._settings, self._cluster
        obstacle = obstacle_to(cluster, self._plan, settings)
        if self._snapshot and (obstacle or cluster is None):
            raise ClusterError(
                f"no run can be started from snapshot {self._snapshot}: {obstacle}",
                hint="kalelite doctor tells what may be done in a namespace.",
            )
        if obstacle or cluster is None:
            made = "brings the code" if settings.carries else "brings the code and makes the volume"
            self._note(f"{obstacle}: a task of the run {made}")
            return Provided(settings)
        book, mounted = volume_source(cluster, self._snapshot, self._environ, self._note)
        check_mounts(mounted, settings.kfp_version, self._note)
        files = {CodeMap("").key: bundle}
        clones = book is not None and bool(mounted)
        if clones and not may_clone(cluster, settings):
            self._note("the notebook's volumes are not cloned, for you may not make claims")
            clones = False
        if book is None or not clones:
            provided = self._alone(cluster, run, files)
        else:
            provided = self._of_notebook(cluster, run, files, book, mounted)
        self._open(cluster, provided)
        return provided

    def _of_notebook(
        self,
        cluster: Cluster,
        run: str,
        files: Mapping[str, bytes],
        book: Notebook | SnapshotSet,
        mounted: Sequence[MountedVolume],
    ) -> Provided:
        """Clones of the volumes, and the code."""
        settings = self._settings
        has_workspace = any(each.workspace for each in mounted)
        needs_none = settings.carries or (has_workspace and not settings.marshal_volume)
        wishes = replace(
            wishes_of(settings, self._plan),
            marshal_volume=False if needs_none else settings.marshal_volume or True,
        )
        prepared = prepare_volumes(
            cluster, run, book, wishes, files=files, report=self._report, note=self._note
        )
        return Provided(_completed(settings, prepared, run, book), prepared.owner)

    def _alone(self, cluster: Cluster, run: str, files: Mapping[str, bytes]) -> Provided:
        """The code, and a volume for the values where none is given."""
        with all_or_nothing(cluster, run) as begun:
            owner = begin_owner(cluster, run, "run", begun, files)
            settings = replace(self._settings, code_map=CodeMap(owner.name), run=run)
            if not settings.carries:
                settings = marshal_claim(cluster, settings, run, owner, self._report)
            return Provided(settings, owner)

    def _open(self, cluster: Cluster, provided: Provided) -> None:
        """Open a new marshal volume for the users of the steps, if they need that."""
        settings, owner = provided.settings, provided.owner
        lasts = isinstance(self._settings.marshal_volume, str)
        if lasts or not isinstance(settings.marshal_volume, str) or owner is None:
            return
        if has_users(self._plan, settings):
            with all_or_nothing(cluster, owner.run) as begun:
                begun.append("run")
                open_volume(cluster, settings, owner, self._note)

    def withdraw(self, owner: Owner, error: BaseException) -> None:
        """Remove what was made for a run that did not start, because of an error or Ctrl-C."""
        assert self._cluster is not None
        withdraw(self._cluster, owner.run, ["run"], error)

    def hand_over(self, owner: Owner, run: str) -> None:
        """Let what was made for a run go when KFP removes its Workflow."""
        assert self._cluster is not None
        if not give_to_workflow(self._cluster, owner, run):
            self._note("what was made for the run stays until kalelite clean removes it")


def _completed(
    settings: Settings, prepared: Prepared, run: str, book: Notebook | SnapshotSet
) -> Settings:
    clones = clones_of(prepared.clones, made=prepared.made)
    assert prepared.owner is not None
    completed = replace(settings, clones=clones, code_map=CodeMap(prepared.owner.name), run=run)
    marshal = prepared.marshal
    if marshal is not None and (prepared.made or isinstance(settings.marshal_volume, str)):
        completed = replace(
            completed,
            marshal_volume=marshal.claim,
            marshal_path=marshal.path,
            marshal_volume_size=settings.marshal_volume_size if settings.lasts else None,
        )
    return replace(
        completed,
        image=settings.image or book.image,
        run_as_user=book.user if settings.run_as_user is None else settings.run_as_user,
        run_as_group=book.group if settings.run_as_group is None else settings.run_as_group,
    )
