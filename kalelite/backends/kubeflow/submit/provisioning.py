"""What a run finds in the cluster when it starts: its volumes and its code.

Who may make claims and config maps makes them before the run: then no task of it has to. From
elsewhere tasks of the pipeline do.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from kalelite.backends.kubeflow.compile.compile_settings import Clone, CodeMap, Settings
from kalelite.backends.kubeflow.submit.run_claim import marshal_claim, wishes_of
from kalelite.backends.kubeflow.submit.run_owner import give_to_workflow
from kalelite.errors import ClusterError, UsageError
from kalelite.frozen import frozen
from kalelite.volumes.discover import Notebook, notebook
from kalelite.volumes.owner import Owner, create_owner, delete_owner
from kalelite.volumes.prepare_volumes import Prepared, prepare_volumes
from kalelite.volumes.resources import CLAIMS, CONFIG_MAPS

if TYPE_CHECKING:
    from kalelite.plan.graph import Plan
    from kalelite.volumes.cluster import Cluster
    from kalelite.volumes.waiting import Report


@frozen
class Provided:
    """The settings of the compilation, with what was made for the run; ``owner`` owns that."""

    settings: Settings
    owner: Owner | None = None


class Supply:
    """Makes what a run needs, as far as that may be made from here.

    In a notebook of the namespace of the runs, its volumes are snapshotted and cloned.
    """

    def __init__(
        self,
        cluster: Cluster | None,
        plan: Plan,
        settings: Settings,
        *,
        report: Report = lambda _: None,
        note: Callable[[str], None] = lambda _: None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._cluster = cluster
        self._plan = plan
        self._settings = settings
        self._report = report
        self._note = note
        self._environ = environ

    def __call__(self, run: str, bundle: bytes) -> Provided:
        """Make it for a run of this id; raises `ClusterError`, and then nothing is left."""
        settings, cluster = self._settings, self._cluster
        obstacle = _obstacle(cluster, self._plan, settings)
        if obstacle or cluster is None:
            self._note(f"{obstacle}: tasks of the run bring the code and make the marshal volume")
            return Provided(settings)
        book = _notebook(cluster, self._environ, self._note)
        files = {CodeMap("").key: bundle}
        if book is None or not book.volumes:
            return self._alone(cluster, run, files)
        keeps_in_clone = book.workspace and not settings.marshal_volume
        wishes = replace(
            wishes_of(settings),
            marshal_volume=False if keeps_in_clone else settings.marshal_volume or True,
        )
        prepared = prepare_volumes(
            cluster, run, book, wishes, files=files, report=self._report, note=self._note
        )
        return Provided(_completed(settings, prepared, run, book), prepared.owner)

    def _alone(self, cluster: Cluster, run: str, files: Mapping[str, bytes]) -> Provided:
        """The code, and a volume for the values where none is given."""
        owner = create_owner(cluster, run, files=files)
        settings = replace(self._settings, code_map=CodeMap(owner.name), run=run)
        try:
            return Provided(marshal_claim(cluster, settings, run, owner, self._report), owner)
        except BaseException:
            delete_owner(cluster, owner)
            raise

    def withdraw(self, owner: Owner) -> None:
        """Remove what was made for a run that did not start."""
        assert self._cluster is not None
        delete_owner(self._cluster, owner)

    def hand_over(self, owner: Owner, run: str) -> None:
        """Let what was made for a run go when KFP removes its Workflow."""
        assert self._cluster is not None
        if not give_to_workflow(self._cluster, owner, run):
            self._note("what was made for the run stays until kalelite clean removes it")


def _obstacle(cluster: Cluster | None, plan: Plan, settings: Settings) -> str:
    """Why nothing can be made from here; empty if it can."""
    if cluster is None:
        return "Kubernetes cannot be reached from here"
    try:
        for resource in (CONFIG_MAPS, CLAIMS):
            if not cluster.may("create", resource):
                where = f"namespace {cluster.namespace}"
                return f"you may not make a {resource.noun} in {where}"
    except ClusterError as error:
        return error.message
    users = {task.options.security_context for task in plan.tasks}
    if users != {None} and not isinstance(settings.marshal_volume, str):
        return "steps run as users of their own, to whom a new volume has to be opened"
    return ""


def _notebook(
    cluster: Cluster, environ: Mapping[str, str], note: Callable[[str], None]
) -> Notebook | None:
    """The notebook that this runs in, if its volumes can be those of a run."""
    try:
        found = notebook(cluster, environ=environ)
    except (UsageError, ClusterError):
        return None
    for other in found.others:
        note(f"{other.path or other.name} is not in the run: {other.why}")
    return found


def _completed(settings: Settings, prepared: Prepared, run: str, book: Notebook) -> Settings:
    clones = tuple(
        Clone(
            each.source,
            each.path,
            each.size,
            each.snapshot or "",
            each.storage_class,
            each.modes,
            each.workspace,
            each.claim if prepared.made else "",
        )
        for each in prepared.clones
    )
    assert prepared.owner is not None
    completed = replace(settings, clones=clones, code_map=CodeMap(prepared.owner.name), run=run)
    marshal = prepared.marshal
    if marshal is not None and (prepared.made or isinstance(settings.marshal_volume, str)):
        completed = replace(completed, marshal_volume=marshal.claim, marshal_path=marshal.path)
    return replace(
        completed,
        image=settings.image or book.image,
        run_as_user=book.user if settings.run_as_user is None else settings.run_as_user,
        run_as_group=book.group if settings.run_as_group is None else settings.run_as_group,
    )
