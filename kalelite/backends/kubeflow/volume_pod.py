"""A pod of kalelite's own that mounts a volume of a run for a while, beside those of the run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kalelite.backends.kubeflow.follow.pod_troubles import waiting_for
from kalelite.frozen import frozen
from kalelite.volumes.resources import labels_of

_LIFE = 900
"""Seconds after which Kubernetes ends a pod that nobody has removed."""


@frozen
class RunVolumeAt:
    """The claim that holds kalelite's folder of a run, that folder in the pods, and an image."""

    claim: str
    home: str
    image: str
    user: int | None = None
    group: int | None = None


def volume_pod(
    name: str, run: str, volume: RunVolumeAt, command: Sequence[str], *, writes: bool = False
) -> dict[str, Any]:
    """The manifest of a pod that runs a command; one that writes has the volume's group, too."""
    security = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    security |= {"runAsUser": volume.user} if volume.user is not None else {}
    security |= {"runAsGroup": volume.group} if volume.group is not None else {}
    mount = {"name": "run", "mountPath": volume.home.rpartition("/")[0] or "/"}
    return {
        "metadata": {"name": name, "labels": labels_of(run)},
        "spec": {
            "restartPolicy": "Never",
            "activeDeadlineSeconds": _LIFE,
            "terminationGracePeriodSeconds": 1,
            "automountServiceAccountToken": False,
            **({"securityContext": {"fsGroup": volume.group or 0}} if writes else {}),
            "containers": [
                {
                    "name": "main",
                    "image": volume.image,
                    "command": [*command],
                    "securityContext": security,
                    "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}},
                    "volumeMounts": [{**mount, "readOnly": not writes}],
                }
            ],
            "volumes": [{"name": "run", "persistentVolumeClaim": {"claimName": volume.claim}}],
        },
    }


def trouble_of(status: dict[str, Any]) -> str:
    """Why such a pod does not start, or has failed."""
    states = (each.get("state") or {} for each in status.get("containerStatuses") or ())
    waits = (state.get("waiting") or state.get("terminated") or {} for state in states)
    texts = [f"{each.get('reason', '')}: {each.get('message', '')}" for each in waits]
    conditions = {each["type"]: each for each in status.get("conditions") or ()}
    scheduled = conditions.get("PodScheduled", {})
    if scheduled.get("status") == "False":
        texts.append(f"Unschedulable: {scheduled.get('message', '')}")
    found = waiting_for("; ".join(texts))
    return found.message if found is not None else "it takes too long"
