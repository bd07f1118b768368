"""What is written about pods, in words."""

from __future__ import annotations

import pytest

from kalelite.backends.kubeflow.follow.pod_troubles import (
    driver_failure,
    failure_of,
    trouble_of,
    waiting_for,
)

TEXTS = [
    (
        'ImagePullBackOff: Back-off pulling image "nowhere/none:1": ErrImagePull: not found',
        "its image nowhere/none:1 cannot be pulled",
        "KALELITE_IMAGE",
    ),
    (
        "Unschedulable: 0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory. no new "
        "claims to deallocate, preemption: 0/1 nodes are available: 1 Preemption is not helpful.",
        "no node takes it: 0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory",
        "less cpu=",
    ),
    (
        'Unschedulable: persistentvolumeclaim "data" not found',
        "its claim data is not there",
        "run the pipeline again",
    ),
    (
        "Unschedulable: pod has unbound immediate PersistentVolumeClaims.",
        "a claim that it mounts has no volume yet",
        "describe pvc",
    ),
    (
        'FailedAttachVolume: Multi-Attach error for volume "pvc-1" Volume is already used by pod(s) x',
        "a volume that it mounts is attached to another node",
        "ReadWriteMany",
    ),
    (
        'FailedMount: MountVolume.SetUp failed for volume "code" : configmap "code-1" not found',
        "its config map code-1 is not there",
        "namespace of the runs",
    ),
    (
        'CreateContainerConfigError: secret "login" not found',
        "its secret login is not there",
        "kubectl create secret",
    ),
    (
        'pods "w-1" is forbidden: exceeded quota: small, requested: cpu=2, used: cpu=0',
        "the namespace's quota does not allow its pod (small, requested: cpu=2, used: cpu=0)",
        "Ask for less",
    ),
    ("main: OOMKilled (exit code 137)", "it took more memory than it may", "memory="),
    ("The node was low on resource: memory. Threshold", "put it out, for want of room", "memory="),
    ("Pod was active on the node longer than the specified deadline", "its timeout", "timeout="),
    ("pod deleted", "its pod was deleted", "retries="),
    ("Step exceeded its deadline", "the run was cancelled", ""),
    (
        "workflow is longer than maximum allowed size. compressed size 1050183 > maxSize 1048576",
        "outgrown what Kubernetes keeps",
        "ParallelFor",
    ),
    (
        'pods is forbidden: User "system:serviceaccount:a:default-editor" cannot create resource "pods"',
        "system:serviceaccount:a:default-editor may not create pods",
        "role",
    ),
]


@pytest.mark.parametrize(("text", "words", "hint"), TEXTS)
def test_each_trouble_has_its_words_and_what_to_do(text, words, hint):
    found = trouble_of(text)

    assert found is not None
    assert words in found.message
    assert hint in found.hint


@pytest.mark.parametrize("text", ["", "PodInitializing", "ContainerCreating"])
def test_the_ordinary_course_is_no_trouble(text):
    assert waiting_for(text) is None


def test_an_event_tells_what_the_pod_does_not():
    events = ["Scheduled: Successfully assigned", 'FailedMount: configmap "code-1" not found']

    assert waiting_for("PodInitializing", events).message == "its config map code-1 is not there"


def test_what_nobody_knows_is_shown_as_it_is():
    assert waiting_for("SomethingNew: of tomorrow").message == "SomethingNew: of tomorrow"


def test_a_failure_says_whose_it_is():
    assert "KFP" not in failure_of("main: Error (exit code 1)").message
    assert driver_failure("main: Error (exit code 2)", "").type == "DriverError"
    assert failure_of("main: OOMKilled (exit code 1)").type == "MemoryError"
    assert failure_of("main: Error (exit code 143)").type == "PodLostError"


def test_why_a_driver_has_failed_is_in_its_log():
    log = "F1128 15:40:12.4 15 main.go:127] KFP driver: driver.RootDAG(runID=5, spec) failed: "
    refused = (
        'configmaps "kfp-launcher" is forbidden: User "system:serviceaccount:a:poor" cannot get '
        'resource "configmaps" in API group "" in the namespace "a"'
    )

    rights = driver_failure("main: Error (exit code 1)", f"{log}{refused}\n")
    unknown = driver_failure("main: Error (exit code 1)", f"{log}no such task\n")

    assert rights.message == "system:serviceaccount:a:poor may not get configmaps"
    assert unknown.message == "Kubeflow Pipelines could not start it: no such task"
