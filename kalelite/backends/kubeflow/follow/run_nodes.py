"""The nodes of a Workflow, as Argo keeps them in its status."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator, Mapping
from typing import Any

from kalelite.backends.kubeflow.submit.run_answer import NodeAnswer, posix
from kalelite.frozen import frozen


@frozen
class RunNode:
    """A node: Argo's name, type and phase, its message, and POSIX times, 0 for none.

    ``pod`` is the name of its pod, empty for what is none.
    """

    name: str
    type: str
    phase: str
    message: str = ""
    started: float = 0.0
    finished: float = 0.0
    pod: str = ""


@frozen
class RunNodes:
    """A Workflow: its name, its own phase and message, whether it was told to end, its nodes.

    ``kept`` is how many seconds after its end it is removed, 0 if it does not say.
    """

    workflow: str
    phase: str
    message: str
    stopped: bool
    nodes: tuple[RunNode, ...]
    kept: int = 0

    @property
    def broken_root_driver(self) -> str:
        """The pod of the driver that starts the whole run, if that has failed; empty if not."""
        pods = (node for node in self.nodes if node.pod and ".root-driver" in node.name)
        return next((node.pod for node in pods if node.phase in ("Failed", "Error")), "")


def run_nodes(workflow: Mapping[str, Any]) -> RunNodes:
    """The nodes of a Workflow's JSON; a large one holds them compressed."""
    status = workflow.get("status") or {}
    nodes = status.get("nodes") or {}
    if not nodes and status.get("compressedNodes"):
        nodes = json.loads(gzip.decompress(base64.b64decode(status["compressedNodes"])))
    name = str(workflow.get("metadata", {}).get("name", ""))
    return RunNodes(
        name,
        str(status.get("phase", "")),
        str(status.get("message", "")),
        workflow.get("spec", {}).get("activeDeadlineSeconds") == 0,
        tuple(_node(node, name) for node in nodes.values()),
        int((workflow.get("spec", {}).get("ttlStrategy") or {}).get("secondsAfterCompletion", 0)),
    )


def _node(node: Mapping[str, Any], workflow: str) -> RunNode:
    is_pod = node.get("type") == "Pod"
    return RunNode(
        name=str(node.get("name", "")),
        type=str(node.get("type", "")),
        phase=str(node.get("phase", "")),
        message=str(node.get("message", "")),
        started=posix(node.get("startedAt")),
        finished=posix(node.get("finishedAt")),
        pod=_pod(node, workflow) if is_pod else "",
    )


def _pod(node: Mapping[str, Any], workflow: str) -> str:
    """A pod is named after the workflow, the template and the number in the node's id."""
    number = str(node.get("id", "")).rpartition("-")[2]
    template = str(node.get("templateName") or "")
    limit = 253 - len(number) - 1
    return f"{f'{workflow}-{template}'[:limit]}-{number}"


def flat_nodes(answers: tuple[NodeAnswer, ...]) -> Iterator[RunNode]:
    """The nodes of a run's answer, which have no path, as if each stood in no block."""
    for answer in answers:
        kind = "Retry" if "driver" in answer.name else "DAG"
        name = f"run.root.{answer.name}"
        yield RunNode(name, kind, answer.phase, "", answer.started, answer.finished)
