"""The logs of a run as they are now, put where those of a run that was followed are."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from kalelite.backends.kubeflow.follow.observing import observe
from kalelite.backends.kubeflow.follow.run_nodes import run_nodes
from kalelite.backends.kubeflow.follow.shared_logs import SharedLogs, lines_of
from kalelite.backends.kubeflow.follow.step_output import without_record

if TYPE_CHECKING:
    from kalelite.backends.kubeflow.follow.cluster_traces import ClusterTraces
    from kalelite.runs.run_files import KfpData


def refresh_logs(
    traces: ClusterTraces, data: KfpData, tasks: Path, wanted: Collection[str], step: str | None
) -> None:
    """Write the logs of a step's instances, or of all, into the folders of the tasks.

    ``wanted`` are the ids of the plan's tasks. Raises `ClusterError` if the run cannot be read.
    """
    workflow = traces.workflow(data["run"])
    if workflow is None:
        return
    shared = SharedLogs(data.get("pods", {}), traces.log)
    picture = shared.resolve(observe(run_nodes(workflow).nodes, data["nodes"]))
    for name, seen in picture.instances.items():
        task = name.partition("[")[0]
        if task not in wanted or step not in {None, name, task} or not seen.pod:
            continue
        if (tasks / name / "record.json").exists():
            continue  # it was followed to its end
        whole = shared.text(seen.pod) if seen.shared else None
        text = traces.log(seen.pod) if whole is None else lines_of(name, whole)
        if text is not None:
            (tasks / name).mkdir(parents=True, exist_ok=True)
            (tasks / name / "log.txt").write_text(
                without_record(text), "utf-8", errors="backslashreplace"
            )
