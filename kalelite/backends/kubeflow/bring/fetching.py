"""Brings records and values of a run from its volume, by a pod that mounts it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kalelite.backends.kubeflow.bring.bringing import bring_records, bring_value
from kalelite.backends.kubeflow.bring.reader_pod import reader_pod
from kalelite.backends.kubeflow.follow.run_nodes import run_nodes
from kalelite.backends.kubeflow.volume_pod import RunVolumeAt
from kalelite.errors import ClusterError
from kalelite.runs.pipeline_run import Run

if TYPE_CHECKING:
    from kalelite.backends.kubeflow.submit.kfp_service import KfpService
    from kalelite.runs.run_files import KfpData
    from kalelite.volumes.cluster import Cluster


def fetch(
    cluster: Cluster | None, service: KfpService, data: KfpData, run: Run, names: Sequence[str]
) -> Run:
    """The run with the records of its steps, and with the outputs of these names in the store here.

    Raises `ClusterError` if they cannot be read, `UsageError` if there is no such output.
    """
    if not data["home"]:
        raise ClusterError(
            "the values of this run are in the object store of Kubeflow Pipelines, which has no way "
            "to read them by its API",
            hint=f"They are below <pipeline root>/{run.pipeline}/{data['run']}, a folder kept--STEP "
            "for each step. Let a last step write what you want to keep, or use marshal_volume=.",
        )
    if cluster is None:
        raise ClusterError(
            "the volume of the run cannot be read: Kubernetes cannot be reached from here",
            hint="Give a kubeconfig, or run this in a notebook of the cluster.",
        )
    volume = RunVolumeAt(
        data["claim"] or run_nodes(service.manifest(data["run"])).workflow,
        data["home"],
        data["image"],
        None if data["user"] < 0 else data["user"],
        None if data["group"] < 0 else data["group"],
    )
    with reader_pod(cluster, run.id, volume) as reader, tempfile.TemporaryDirectory() as scratch:
        records = data["records"] or data["run"]
        bring_records(reader, records, run.folder / "tasks", Path(scratch))
        outputs = run.outputs()
        for output in (each for name in names for each in run.output_names(name)):
            if "native" not in outputs[output]:  # else the record holds it
                bring_value(reader, outputs[output]["ref"], run.home)
    return run
