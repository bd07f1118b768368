"""The prepare step of a run: it makes the run's claims and has the code put onto one of them.

KFP mounts no claim into the task that makes it. So where the code has to go onto a new one, the
step starts a pod of its own that mounts it, for some seconds. A retry finds what was made before.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import time
import urllib.error
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn, TypedDict

from kalelite.backends.kubeflow.pod import begun_run, entry, stage
from kalelite.errors import ClusterError
from kalelite.volumes.provision import PodApi, claim_manifest, create, keeps_source, owner_of

_PATIENCE = 600
"""Seconds for the pod that brings the code: an image may have to be pulled, a volume be made."""
Json = dict[str, Any]


class ClaimPlan(TypedDict):
    """A claim to make: its name is that of the run's Workflow, and ``suffix``.

    It is a clone of a ``snapshot``, or of one that is taken now, of the class ``snapshot_class``, of
    the claim ``source``; else it is empty.
    """

    suffix: str
    size: str
    modes: list[str]
    storage_class: str | None
    snapshot: str | None
    source: str
    snapshot_class: str | None


class Preparation(TypedDict):
    """What a prepare step does, by the compiler: an entry ``prepare.json`` of the bundle.

    ``home`` is kalelite's folder, where the code has to go; empty if it is somewhere already.
    ``volume`` is the path at which the claim with that folder is mounted, ``suffix`` the name of
    that claim; None where the step mounts it itself. ``root``: the volume's own folder is to be
    opened for all users. ``user`` is whom the steps run as. ``handed_on``: the code is the last
    output. ``record`` is what is known of ``run.json`` where nobody else keeps one, None where
    somebody does; ``parameters`` are the names of the pipeline's parameters, by those of the inputs.
    """

    claims: list[ClaimPlan]
    home: str
    volume: str
    suffix: str | None
    root: bool
    image: str
    user: int | None
    handed_on: bool
    record: Json | None
    parameters: dict[str, str]


def main(argv: list[str], read: Callable[[str], bytes]) -> int:
    """As `entry.main`, and ``prepare`` and ``stage``, which stand before the job and the run."""
    if argv[0] not in ("prepare", "stage"):
        return entry.main(argv, read)
    what, job, run, received, *outputs = argv
    plan: Preparation = json.loads(read("prepare.json"))
    given: Json = json.loads(received)
    if what == "stage":
        _stage(plan, run, given)
        return 0
    values = given.get("inputs", {}).get("parameterValues", {})
    given = {name: values[port] for port, name in plan["parameters"].items() if port in values}
    if plan["claims"]:
        api = PodApi()
        owner = owner_of(api)
        claims = _with_snapshots(api, plan["claims"], job, run, owner)
        names = [_claim(api, claim, job, run, owner) for claim in claims]
        for path, text in zip(outputs[1:], names, strict=False):
            _write(path, text)
        if plan["home"] and plan["suffix"] is not None:
            _stage_elsewhere(api, plan, job, run, owner, given)
    if plan["home"] and plan["suffix"] is None:
        _stage(plan, run, given)
    if plan["handed_on"]:
        shutil.copyfile(sys.argv[0], outputs[-1])
    _write(outputs[0], "yes")
    return 0


def _stage(plan: Preparation, run: str, given: Json) -> None:
    """Put the code and the beginning of a record onto the volume, which is mounted here."""
    stage.stage(plan["home"], plan["volume"] if plan["root"] else "")
    if plan["record"] is not None:
        begun_run.begin(plan["home"], run, plan["record"], given)


def _with_snapshots(
    api: PodApi, claims: list[ClaimPlan], job: str, run: str, owner: Json | None
) -> list[ClaimPlan]:
    """The claims, with snapshots of their sources that are taken now, and as large as those are."""
    wanted = {claim["source"]: claim["snapshot_class"] for claim in claims if claim["source"]}
    if not wanted:
        return claims
    from kalelite.volumes.step_snapshot import take_of_claims

    names = {source: f"{job}-snapshot-{number}" for number, source in enumerate(wanted, 1)}
    try:
        sizes = take_of_claims(api, names, wanted, run=run, owner=owner)
    except ClusterError as error:
        _fail(str(error))
    made: list[ClaimPlan] = []
    for claim in claims:
        source = claim["source"]
        fresh = {"snapshot": names[source], "size": sizes[source]} if source else {}
        made.append({**claim, **fresh})  # type: ignore[typeddict-item]
    return made


def _claim(api: PodApi, plan: ClaimPlan, job: str, run: str, owner: Json | None) -> str:
    manifest = claim_manifest(
        job + plan["suffix"],
        size=plan["size"],
        modes=plan["modes"],
        storage_class=plan["storage_class"],
        snapshot=plan["snapshot"],
        run=run,
        owner=owner,
    )
    received = create(api, manifest)
    name = str(received["metadata"]["name"])
    if not keeps_source(manifest, received):
        with contextlib.suppress(urllib.error.HTTPError):  # a retry finds it gone
            api.call("DELETE", "persistentvolumeclaims/" + name)
        _fail(
            f"the cluster dropped the snapshot {plan['snapshot']!r} from the claim {name}; an "
            "empty volume would have taken its place"
        )
    print(f"prepare: {name} of {plan['size']}", flush=True)
    return name


def _stage_elsewhere(
    api: PodApi, plan: Preparation, job: str, run: str, owner: Json | None, given: Json
) -> None:
    """Put the code onto a claim by a pod that mounts it, and wait until that has ended."""
    name = f"{job}-stage"
    pod = _pod(plan, name, job, run, owner, given)
    with contextlib.suppress(urllib.error.HTTPError):
        me = api.call("GET", "pods/" + os.environ.get("KFP_POD_NAME", ""))
        pod["spec"]["serviceAccountName"] = me["spec"]["serviceAccountName"]
    try:
        api.call("POST", "pods", pod)
    except urllib.error.HTTPError as error:
        if error.code != 409:
            text = error.read().decode("utf-8", "replace")[:1000]
            _fail(
                f"no pod may be made that brings the code (HTTP {error.code}): {text}\n"
                "  let the run's service account create pods, or give a lasting claim "
                "(marshal_volume=NAME)"
            )
    until, said = time.monotonic() + _PATIENCE, ""
    while (status := api.call("GET", "pods/" + name)["status"]).get("phase") != "Succeeded":
        why = _why(status)
        if status.get("phase") == "Failed" or time.monotonic() > until:
            _fail(f"the pod {name}, which brings the code, has not ended well: {why}")
        if why != said:
            print(f"prepare: waiting for the pod {name}: {why}", flush=True)
            said = why
        time.sleep(0.5)
    with contextlib.suppress(urllib.error.HTTPError):
        api.call("DELETE", f"pods/{name}?gracePeriodSeconds=0")
    print(f"prepare: the code is in {plan['home']}", flush=True)


def _why(status: Mapping[str, Any]) -> str:
    states = [each.get("state", {}) for each in status.get("containerStatuses", ())]
    waits = [state[kind] for state in states for kind in ("waiting", "terminated") if kind in state]
    conditions = [each for each in status.get("conditions", ()) if each.get("status") == "False"]
    found = [*waits, *conditions]
    text = [f"{one.get('reason', '')} {one.get('message', '')}".strip() for one in found[:1]]
    return text[0] if text else str(status.get("phase", "Pending"))


def _pod(plan: Preparation, name: str, job: str, run: str, owner: Json | None, given: Json) -> Json:
    """A pod that may do no more than KFP's own; its group owns the new volume."""
    boot = json.loads(os.environ["KALELITE_BOOT"])
    words = json.dumps(given).replace("$", "$$")  # of two Kubernetes makes one
    context: Json = {"fsGroup": 0, "seccompProfile": {"type": "RuntimeDefault"}}
    if plan["user"] is not None:
        context["runAsUser"] = plan["user"]
    labels = {"app.kubernetes.io/managed-by": "kalelite", "kalelite.dev/run": run}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "labels": {**labels, "sidecar.istio.io/inject": "false"},
            **({"ownerReferences": [owner]} if owner else {}),
        },
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 1,
            "securityContext": context,
            "volumes": [
                {"name": "home", "persistentVolumeClaim": {"claimName": job + str(plan["suffix"])}}
            ],
            "containers": [
                {
                    "name": "main",
                    "image": plan["image"],
                    "command": [*boot, "stage", job, run, words],
                    "volumeMounts": [{"name": "home", "mountPath": plan["volume"]}],
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "capabilities": {"drop": ["ALL"]},
                    },
                }
            ],
        },
    }


def _write(path: str, text: str) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text, "utf-8")


def _fail(message: str) -> NoReturn:
    sys.exit("prepare: " + message)
