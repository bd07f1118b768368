"""A run's own claim for its values, where no notebook's volumes are cloned."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kalelite.backends.kubeflow.compile.compile_settings import Settings
from kalelite.executor.own_functions import class_of
from kalelite.plan.order import is_wide
from kalelite.volumes.clone import make_volumes
from kalelite.volumes.run_volumes import plan_marshal
from kalelite.volumes.waiting import DEADLINE, Report
from kalelite.volumes.wishes import Wishes, spelled

if TYPE_CHECKING:
    from kalelite.plan.graph import Plan
    from kalelite.volumes.cluster import Cluster
    from kalelite.volumes.owner import Owner


def marshal_claim(
    cluster: Cluster, settings: Settings, run: str, owner: Owner, report: Report
) -> Settings:
    """The settings with a claim that has been made; those with a lasting one as they are.

    Raises `ClusterError` if it cannot be made.
    """
    if isinstance(settings.marshal_volume, str):
        return settings
    wishes = spelled(wishes_of(settings))
    marshal = plan_marshal(
        run,
        size=wishes.marshal_volume_size or "5Gi",
        path=wishes.marshal_path or "/marshal",
        access_mode=settings.access_mode,
        storage_class=wishes.storage_class,
    )
    make_volumes(cluster, [marshal], owner, deadline=wishes.deadline, report=report)
    return replace(
        settings,
        marshal_volume=marshal.claim,
        marshal_path=marshal.path,
        marshal_volume_size=None,
    )


def wishes_of(settings: Settings, plan: Plan | None = None) -> Wishes:
    """What the settings of a compilation ask for, and the steps of a plan."""
    tasks = plan.tasks if plan else ()
    return Wishes(
        snapshot_class=settings.snapshot_class,
        storage_class=settings.storage_class,
        access_mode=None if settings.access_mode == "ReadWriteOnce" else settings.access_mode,
        marshal_volume_size=settings.marshal_volume_size,
        marshal_path=settings.marshal_path,
        wide=plan is not None and is_wide(plan),
        one_node=all(task.options.node_selector for task in tasks),
        kept=tuple(filter(None, map(class_of, tasks))),
        deadline=settings.snapshot_timeout or DEADLINE,
    )
