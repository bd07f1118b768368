"""What may be made for a run, and with whom it goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kalelite.backends.kubeflow.submit.opened_volume import has_users
from kalelite.errors import ClusterError
from kalelite.volumes.cluster import Cluster
from kalelite.volumes.owner import Owner
from kalelite.volumes.resources import CLAIMS, CONFIG_MAPS, PODS, WORKFLOWS

if TYPE_CHECKING:
    from kalelite.backends.kubeflow.compile.compile_settings import Settings
    from kalelite.plan.graph import Plan


def obstacle_to(cluster: Cluster | None, plan: Plan, settings: Settings) -> str:
    """Why nothing can be made from here; empty if it can."""
    if cluster is None:
        return "Kubernetes cannot be reached from here"
    try:
        for resource in (CONFIG_MAPS,) if settings.carries else (CONFIG_MAPS, CLAIMS):
            if not cluster.may("create", resource):
                where = f"namespace {cluster.namespace}"
                return f"you may not make a {resource.noun} in {where}"
        is_new = not (settings.carries or isinstance(settings.marshal_volume, str))
        opens = is_new and has_users(plan, settings)
        if opens and not cluster.may("create", PODS):
            return "a new volume has to be opened for the users of the steps, by a pod that you may not make"
    except ClusterError as error:
        return error.message
    return ""


def may_clone(cluster: Cluster, settings: Settings) -> bool:
    """Whether volumes may be cloned; only a run whose values travel as artifacts does without."""
    return not settings.carries or cluster.may("create", CLAIMS)


def give_to_workflow(cluster: Cluster, owner: Owner, run: str) -> bool:
    """Let it go when KFP removes the Workflow of a run; whether that could be done."""
    try:
        found = cluster.list(WORKFLOWS, labels=f"pipeline/runid={run}")
        if not found:
            return False
        metadata = found[0]["metadata"]
        reference = {
            "apiVersion": WORKFLOWS.api_version,
            "kind": WORKFLOWS.kind,
            "name": metadata["name"],
            "uid": metadata["uid"],
            "controller": False,
            "blockOwnerDeletion": False,
        }
        cluster.patch(CONFIG_MAPS, owner.name, {"metadata": {"ownerReferences": [reference]}})
    except ClusterError:
        return False
    return True
