"""A new volume is opened for the users that the steps run as: most drivers make it root's alone.

KFP gives its pods no group that Kubernetes would open a volume for, so a pod of our own does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from kalelite.backends.kubeflow.volume_pod import RunVolumeAt, trouble_of, volume_pod
from kalelite.errors import ClusterError
from kalelite.volumes.cluster_errors import ForbiddenError
from kalelite.volumes.resources import PODS

if TYPE_CHECKING:
    from kalelite.backends.kubeflow.compile.compile_settings import Settings
    from kalelite.plan.graph import Plan
    from kalelite.volumes.cluster import Cluster
    from kalelite.volumes.owner import Owner

_START = 180.0
"""Seconds that the pod may take: an image may have to be pulled, a volume be made."""

_PROGRAM = """\
import os, sys
os.umask(0)
for name in ("store", "runs", "code"):
    os.makedirs(os.path.join(sys.argv[1], name), exist_ok=True)
"""


def has_users(plan: Plan, settings: Settings) -> bool:
    """Whether steps run as somebody who is not known to own a new volume."""
    own = {task.options.security_context for task in plan.tasks}
    return own != {None} or bool(settings.run_as_user)


def open_volume(
    cluster: Cluster, settings: Settings, owner: Owner, note: Callable[[str], None]
) -> None:
    """Make kalelite's folder on the run's new claim, for everybody to write to.

    Where no pod may be made it is left as it is. Raises `ClusterError` if the pod fails.
    """
    assert isinstance(settings.marshal_volume, str)
    volume = RunVolumeAt(
        settings.marshal_volume,
        f"{settings.marshal_path}/.kalelite",
        settings.default_image,
        settings.run_as_user,
        settings.run_as_group,
    )
    name = f"{settings.marshal_volume}-open"
    command = ("python3", "-c", _PROGRAM, volume.home)
    pod = volume_pod(name, owner.run, volume, command, writes=True)
    pod["metadata"]["ownerReferences"] = [owner.reference()]
    try:
        cluster.create(PODS, pod)
    except ForbiddenError as error:
        note(f"the new volume {volume.claim} could not be opened for all users: {error.message}")
        return
    end = cluster.clock() + _START
    while (status := cluster.get(PODS, name).get("status") or {}).get("phase") != "Succeeded":
        if status.get("phase") == "Failed" or cluster.clock() > end:
            raise ClusterError(
                f"the new volume {volume.claim} could not be opened for the users of the steps: "
                f"{trouble_of(status)}",
                hint="marshal_volume= takes the name of a claim that they may write to.",
            )
        cluster.sleep(0.3)
    cluster.delete(PODS, name)
