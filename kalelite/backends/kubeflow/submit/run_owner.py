"""What was made for a run, and with whom it goes."""

from __future__ import annotations

from kalelite.errors import ClusterError
from kalelite.volumes.cluster import Cluster
from kalelite.volumes.owner import Owner
from kalelite.volumes.resources import CONFIG_MAPS, Resource

WORKFLOWS = Resource("apis/argoproj.io/v1alpha1", "workflows", "Workflow", "workflow")


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
