"""What Argo and Kubernetes write about a pod, in words, with what to do. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from kalelite.executor.spec import FailureReport
from kalelite.frozen import frozen


@frozen
class Trouble:
    """What keeps a pod from running, or has ended it: a sentence, and what to do.

    ``type`` is what the failure is called, as if a step had raised it.
    """

    type: str
    message: str
    hint: str = ""

    def report(self) -> FailureReport:
        """As the failure of a step."""
        return FailureReport(self.type, self.message, hint=self.hint, bases=(self.type,))


_KILLED = {128 + 9, 128 + 15}
"""Exit codes of a pod that was sent SIGKILL or SIGTERM: those of a step are all told as 1."""

_ENDED = Trouble(
    "PodLostError",
    "its pod was ended from outside",
    "Deleted by a person, or put out by its node: run the pipeline again, or kalelite resume.",
)

_ORDINARY = {"", "PodInitializing", "ContainerCreating", "Pending"}

_RULES: tuple[tuple[str, str, str, str], ...] = (
    (
        r"(?:ImagePullBackOff|ErrImagePull|InvalidImageName|ErrImageNeverPull)[^\"]*(?:\"(?P<what>[^\"]+)\")?",
        "ImagePullError",
        "its image {what} cannot be pulled",
        "Is the name right, and may this namespace pull it? image= or KALELITE_IMAGE names another.",
    ),
    (
        r"persistentvolumeclaim \"(?P<what>[^\"]+)\" (?:not found|is being deleted)",
        "ClaimError",
        "its claim {what} is not there",
        "It may have been deleted: run the pipeline again, or give the name of one that exists.",
    ),
    (
        r"unbound immediate PersistentVolumeClaims",
        "ClaimError",
        "a claim that it mounts has no volume yet",
        "kubectl describe pvc says why; the storage class may not make such volumes.",
    ),
    (
        r"Multi-Attach error[^\"]*\"?(?P<what>[\w.-]*)",
        "VolumeBusyError",
        "a volume that it mounts is attached to another node",
        (
            "A ReadWriteOnce volume is for one node at a time: access_mode=ReadWriteMany, one "
            "node_selector for all steps, or stop what uses it."
        ),
    ),
    (
        r"volume node affinity conflict",
        "VolumeBusyError",
        "its volumes are in a zone or on a node where it may not run",
        "Leave node_selector= and affinity= out, or make the volumes where the steps run.",
    ),
    (
        r"(?:exceeded quota|forbidden: .*quota)[: ]*(?P<what>[^\"]*)",
        "QuotaError",
        "the namespace's quota does not allow its pod ({what})",
        "Ask for less cpu= and memory=, wait until other pods are gone, or have the quota raised.",
    ),
    (
        r"Unschedulable: (?P<what>.*?)\.?(?: no new claims to deallocate.*| preemption: .*)?$",
        "UnschedulableError",
        "no node takes it: {what}",
        "Ask for less cpu=, memory= or gpu=, or for what the nodes have (node_selector=, tolerations=).",
    ),
    (
        r"(?:configmap|ConfigMap) \"?(?P<what>[\w.-]+)\"? not found",
        "MissingConfigMapError",
        "its config map {what} is not there",
        "Make it in the namespace of the runs; that of the code goes with the run's owner.",
    ),
    (
        r"secret \"?(?P<what>[\w.-]+)\"? not found",
        "MissingSecretError",
        "its secret {what} is not there",
        "Make it in the namespace of the runs: kubectl create secret.",
    ),
    (
        r"OOMKilled",
        "MemoryError",
        "it was killed because it took more memory than it may",
        "Give it more with memory=, or work on less at once.",
    ),
    (
        r"[Ee]vict|low on resource: (?P<what>\S+)",
        "EvictedError",
        "its node has put it out, for want of room ({what})",
        "Ask for what it needs with memory= and ephemeral_storage=, so that it goes where that is.",
    ),
    (
        r"exceeded (?:workflow|its) deadline|terminated by|Stopped with strategy",
        "Interrupted",
        "the run was cancelled",
        "",
    ),
    (
        r"active on the node longer than the specified deadline|DeadlineExceeded",
        "TimeoutError",
        "it took longer than its timeout",
        "The time counts from the start of its pod: give it more with timeout=.",
    ),
    (
        r"pod deleted|pod was deleted|not found",
        "PodLostError",
        "its pod was deleted",
        "By a person, or because its node has gone: retries= starts it again.",
    ),
    (
        r"[Nn]ode (?:was )?(?:shutdown|lost|not ready)|NodeLost|NodeShutdown|node is gone",
        "NodeLostError",
        "its node has gone",
        "retries= starts it again on another one.",
    ),
    (
        r"longer than maximum allowed size|offload node status",
        "WorkflowTooLargeError",
        "the run's Workflow has outgrown what Kubernetes keeps",
        "Let steps share pods with --pods few, or per_pod= of a ParallelFor; or split the pipeline.",
    ),
    (
        r"forbidden: User \"(?P<what>[^\"]+)\" cannot (?P<more>\w+)(?: resource \"(?P<kind>[^\"]+)\")?",
        "RightsError",
        "{what} may not {more} {kind}",
        "That is the service account of the runs: have its role extended.",
    ),
    (
        r"CreateContainerConfigError|CreateContainerError|FailedMount[^:]*: (?P<what>.*)",
        "ContainerError",
        "its container cannot be made: {what}",
        "",
    ),
)


def trouble_of(message: str, events: Iterable[str] = ()) -> Trouble | None:
    """What a message says, else what the newest event that says something does.

    None where it is nothing but the ordinary course, or nothing that is known.
    """
    for text in (message, *reversed(tuple(events))):
        for pattern, kind, sentence, hint in _RULES:
            found = re.search(pattern, text)
            if found:
                parts = {name: _short(value) for name, value in found.groupdict().items()}
                words = sentence.format(**{"what": "", "more": "", "kind": "", **parts})
                return Trouble(kind, _tidy(words), hint)
    return None


def waiting_for(message: str, events: Iterable[str] = ()) -> Trouble | None:
    """Why a pod has not started; None where it only takes its time."""
    found = trouble_of(message, events)
    if found is not None or message in _ORDINARY:
        return found
    return Trouble("Waiting", _short(message))


def failure_of(message: str) -> FailureReport:
    """The failure of a step that has left neither a record nor a traceback."""
    found = trouble_of(message)
    if found is not None:
        return found.report()
    code = re.search(r"exit code (\d+)", message)
    if code and int(code[1]) in _KILLED:
        return _ENDED.report()
    if code:
        return FailureReport(
            "StepError",
            "it failed, and from here it cannot be read why",
            hint="Its log in the UI says it; who may read pods sees it here, too.",
        )
    return FailureReport("PodError", _short(message) or "its pod failed, and nothing says why")


def driver_failure(message: str, log: str) -> FailureReport:
    """Why KFP's driver could not start a step, or a run: from its message, and from its log."""
    told = re.search(r"KFP driver: (?:.* failed: )?(.*)", log)
    reason = told[1] if told else ""
    found = trouble_of(message) or trouble_of(reason)
    if found is not None:
        return found.report()
    return FailureReport(
        "DriverError",
        f"Kubeflow Pipelines could not start it: {_short(reason or message) or 'its driver failed'}",
        hint="kalelite logs RUN STEP shows what its driver wrote.",
    )


def _short(text: str | None) -> str:
    line = " ".join((text or "").split())
    return line if len(line) <= 300 else f"{line[:299]}…"


def _tidy(text: str) -> str:
    """The sentence without the place of what was not told."""
    return re.sub(r" ?\(\)|: *$", "", re.sub(r"  +", " ", text)).strip()
