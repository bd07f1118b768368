"""What Kubeflow Pipelines makes of a container of a compiled pipeline: the manifest of its pod.

It is written as the drivers of KFP 2.17 write it (backend/src/v2/driver), but for the launcher: the
folder of the pod's outputs is one of this machine, on which the pod runs as well.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


def manifest(name: str, words: list[str], container: Json, config: Json, *, folders, node) -> Json:
    """The pod that runs a container; nothing of ``config``, its part of the platform spec, is lost.

    ``folders`` are those of this machine that it sees at their own paths, ``node`` the path of the
    task in the run.
    """
    config = dict(config)
    taken = config.pop
    security = {key: _number(value) for key, value in taken("securityContext", {}).items()}
    volumes, mounts = _volumes(taken, folders)
    own = _whole(taken)
    metadata = taken("podMetadata", {})
    env = [
        {"name": "KFP_POD_NAME", "valueFrom": _field("metadata.name")},
        {"name": "ARGO_NODE_ID", "value": name},
        *container.get("env", ()),
        *_references(taken("secretAsEnv", ()), "secret", "secretKeyRef"),
        *_references(taken("configMapAsEnv", ()), "configMap", "configMapKeyRef"),
        *(
            {"name": each["name"], "valueFrom": _field(each["fieldPath"])}
            for each in taken("fieldPathAsEnv", ())
        ),
    ]
    main = {
        "name": "main",
        "image": container["image"],
        "imagePullPolicy": taken("imagePullPolicy", "IfNotPresent"),
        "command": words,
        "env": env,
        "resources": _resources(container.get("resources", {})),
        "volumeMounts": mounts,
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
            **security,
        },
    }
    if config:
        raise AssertionError(f"nobody here knows {sorted(config)} of a pod")
    return {
        "metadata": {
            "name": name,
            "labels": metadata.get("labels", {}),
            "annotations": {
                **metadata.get("annotations", {}),
                "workflows.argoproj.io/node-name": node,
            },
        },
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 1,
            "volumes": volumes,
            "containers": [main],
            **own,
        },
    }


def _whole(taken) -> Json:
    """The parts of a pod that are about the whole of it."""
    spec: Json = {
        "nodeSelector": taken("nodeSelector", {}).get("labels", {}),
        "tolerations": taken("tolerations", []),
        "imagePullSecrets": [
            {"name": each["secretNameParameter"]} for each in taken("imagePullSecret", ())
        ],
    }
    if seconds := taken("activeDeadlineSeconds", None):
        spec["activeDeadlineSeconds"] = _number(seconds)
    if terms := taken("nodeAffinity", ()):
        required = [term for term in terms if "weight" not in term]
        preferred = [dict(term) for term in terms if "weight" in term]
        affinity: Json = {
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {"weight": term.pop("weight"), "preference": term} for term in preferred
            ]
        }
        if required:
            key = "requiredDuringSchedulingIgnoredDuringExecution"
            affinity[key] = {"nodeSelectorTerms": required}
        spec["affinity"] = {"nodeAffinity": affinity}
    return spec


def _volumes(taken, folders) -> tuple[list[Json], list[Json]]:
    """The volumes of a pod, and where they are mounted."""
    volumes: list[Json] = []
    mounts: list[Json] = []

    def add(source: Json, path: str, **more: Any) -> None:
        name = f"v{len(volumes)}"
        volumes.append({"name": name, **source})
        mounts.append({"name": name, "mountPath": path, **more})

    for each in taken("pvcMount", ()):
        sub = {"subPath": each["subPath"]} if each.get("subPath") else {}
        claim = {"claimName": each["pvcNameParameter"]}
        add({"persistentVolumeClaim": claim}, each["mountPath"], **sub)
    for each in taken("secretAsVolume", ()):
        add({"secret": {"secretName": each["secretNameParameter"]}}, each["mountPath"])
    for each in taken("configMapAsVolume", ()):
        add({"configMap": {"name": each["configMapNameParameter"]}}, each["mountPath"])
    for folder in folders:
        add({"hostPath": {"path": str(folder)}}, str(folder))
    return volumes, mounts


def _references(entries, kind: str, reference: str) -> list[Json]:
    return [
        {
            "name": key["envVar"],
            "valueFrom": {
                reference: {"name": entry[f"{kind}NameParameter"], "key": key[f"{kind}Key"]}
            },
        }
        for entry in entries
        for key in entry["keyToEnv"]
    ]


def _resources(resources: Json) -> Json:
    names = {"requests": "Request", "limits": "Limit"}
    found: Json = {
        part: {
            kind.lower(): resources[f"resource{kind}{word}"]
            for kind in ("Cpu", "Memory")
            if f"resource{kind}{word}" in resources
        }
        for part, word in names.items()
    }
    if accelerator := resources.get("accelerator"):
        found["limits"][accelerator["resourceType"]] = accelerator["resourceCount"]
    return found


def _field(path: str) -> Json:
    return {"fieldRef": {"fieldPath": path}}


def _number(value: Any) -> Any:
    return int(value) if isinstance(value, str) else value
