"""What has failed in a run, as its pods have told in their logs.

An exit handler asks it where values travel as artifacts: KFP gives it none, so no records.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator
from contextlib import suppress
from typing import Any

from kalelite.backends.kubeflow.pod.contract import RECORD
from kalelite.backends.kubeflow.pod.run_records import LOST
from kalelite.executor import record_file
from kalelite.volumes.provision import PodApi

_WORKFLOW = "workflows.argoproj.io/workflow"
_LINES = 1000


def told_failures(tasks: Collection[str]) -> list[tuple[float, str, str]]:
    """When each instance of these tasks has failed, which, and why; the first one first.

    Empty where the run's service account may not read its pods and their logs.
    """
    with suppress(OSError, LookupError, ValueError):
        api = PodApi()
        own = api.call("GET", f"pods/{os.environ['KFP_POD_NAME']}")["metadata"]["labels"]
        query = f"labelSelector={_WORKFLOW}%3D{own[_WORKFLOW]}&fieldSelector=status.phase%3DFailed"
        pods = api.call("GET", f"pods?{query}")["items"]
        return sorted(one for pod in pods for one in _of(api, pod, tasks))
    return []


def _of(
    api: PodApi, pod: dict[str, Any], tasks: Collection[str]
) -> Iterator[tuple[float, str, str]]:
    """The failures that one pod has told of; of a step that could tell nothing, that it was lost."""
    log = api.text(f"pods/{pod['metadata']['name']}/log?container=main&tailLines={_LINES}")
    told = False
    for line in log.splitlines():
        _, mark, text = line.partition(RECORD)
        if not mark:
            continue
        record = record_file.parse(json.loads(text))
        if record.failure is not None and record.task.partition("[")[0] in tasks:
            told = True
            yield record.finished, record.task, record.failure.message
    (main,) = (each for each in pod["spec"]["containers"] if each["name"] == "main")
    words = [*main.get("command", ()), *main.get("args", ())]
    task = words[words.index("--task") + 1] if "--task" in words[:-1] else ""
    if not told and task in tasks:
        yield float("inf"), task, LOST
