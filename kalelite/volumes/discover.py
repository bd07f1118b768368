"""Which volumes a notebook mounts, and what else of its pod a step needs to find the same things.

A notebook is a pod; its workspace is the volume that holds the folder one works in.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from kalelite.errors import ClusterError, UsageError
from kalelite.frozen import frozen
from kalelite.volumes.cluster import Cluster
from kalelite.volumes.cluster_errors import NotFoundError
from kalelite.volumes.resources import CLAIMS, PODS, Json

_PROVISIONER = (
    "volume.kubernetes.io/storage-provisioner",
    "volume.beta.kubernetes.io/storage-provisioner",
)
_DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"
_SOURCES = {
    "emptyDir": "it is empty whenever a pod starts",
    "hostPath": "it is a folder of the node",
    "configMap": "it shows a config map",
    "secret": "it shows a secret",
    "projected": "it shows tokens, config maps or secrets",
    "downwardAPI": "it shows facts about the pod",
    "csi": "it lives and dies with the pod",
    "nfs": "it is mounted without a claim, from an NFS server",
}


@frozen
class MountedVolume:
    """A claim that the notebook mounts.

    Attributes
    ----------
    claim, uid
        The PersistentVolumeClaim.
    path, sub_path, read_only
        Where and how it is mounted.
    workspace
        It holds the folder that one works in.
    storage_class, driver, modes, volume_mode
        Of the claim; the driver is empty where only the storage class tells.
    size
        What it holds, as a Kubernetes quantity: its capacity, or what was asked for.
    phase
        ``Bound``, or why it is not usable.
    """

    claim: str
    path: str
    uid: str = ""
    sub_path: str = ""
    read_only: bool = False
    workspace: bool = False
    storage_class: str | None = None
    driver: str = ""
    modes: tuple[str, ...] = ("ReadWriteOnce",)
    volume_mode: str = "Filesystem"
    size: str = ""
    phase: str = "Bound"


@frozen
class OtherVolume:
    """What the pod mounts and a run does not get, and ``why``. ``path`` is empty if unmounted."""

    name: str
    path: str
    why: str


@frozen
class Notebook:
    """A pod that one works in.

    ``here`` is whether this process runs in it. ``user``, ``group`` and ``fs_group`` are None
    where the pod leaves them to its image. ``directory`` is the folder that one works in, empty if
    nobody knows.
    """

    namespace: str
    pod: str
    container: str
    image: str
    here: bool
    directory: str
    volumes: tuple[MountedVolume, ...]
    others: tuple[OtherVolume, ...] = ()
    user: int | None = None
    group: int | None = None
    fs_group: int | None = None

    @property
    def workspace(self) -> MountedVolume | None:
        """The volume that holds the folder one works in."""
        return next((volume for volume in self.volumes if volume.workspace), None)


def notebook(
    cluster: Cluster,
    pod: str | None = None,
    *,
    directory: str | os.PathLike[str] | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Notebook:
    """The notebook of that name, or the one that this process runs in.

    ``directory`` is the folder that one works in: by default the current one here, and the
    container's working directory of a pod elsewhere.

    Raises `UsageError` if this is no notebook, or the pod has several containers and none is
    known as the notebook's; `ClusterError` if it cannot be read.
    """
    found = cluster.get(PODS, pod) if pod else _own_pod(cluster, environ)
    name = found["metadata"]["name"]
    here = name in _names(environ)
    container = _container(found, environ if here else {})
    folder = _directory(directory, container, here=here)
    volumes, others = _volumes(cluster, found, container, folder)
    security = {
        **(found["spec"].get("securityContext") or {}),
        **(container.get("securityContext") or {}),
    }
    return Notebook(
        namespace=cluster.namespace,
        pod=name,
        container=container["name"],
        image=container["image"],
        here=here,
        directory=folder,
        volumes=volumes,
        others=others,
        user=os.getuid() if here else security.get("runAsUser"),
        group=os.getgid() if here else security.get("runAsGroup"),
        fs_group=security.get("fsGroup"),
    )


def find_claim(cluster: Cluster, name: str, path: str) -> MountedVolume | None:
    """A claim as if it were mounted at a path, or None if there is none of that name."""
    try:
        claim = cluster.get(CLAIMS, name)
    except NotFoundError:
        return None
    return _mounted(claim, path=path, sub_path="", read_only=False, workspace=False)


def _names(environ: Mapping[str, str]) -> list[str]:
    """What the pod of this process may be called, the likeliest first; nothing outside of pods.

    Its hostname may be cut, set by hand, or the node's.
    """
    if "KUBERNETES_SERVICE_HOST" not in environ and "NB_PREFIX" not in environ:
        return []
    server = environ.get("NB_PREFIX", "").rstrip("/").rpartition("/")[2]
    names = (environ.get("HOSTNAME", ""), f"{server}-0" if server else "")
    return [name for name in names if name]


def _own_pod(cluster: Cluster, environ: Mapping[str, str]) -> Json:
    names = _names(environ)
    for name in names:
        try:
            return cluster.get(PODS, name)
        except NotFoundError:
            continue
    why = f"namespace {cluster.namespace} has no pod {' or '.join(names)}"
    raise UsageError(
        f"the notebook is not found: {why if names else 'this is no pod'}",
        hint="Run it in the notebook's terminal, or name the notebook's pod with --pod.",
    )


def _container(pod: Json, environ: Mapping[str, str]) -> Json:
    """The container that one works in; sidecars are others."""
    containers: dict[str, Json] = {each["name"]: each for each in pod["spec"]["containers"]}
    server = environ.get("NB_PREFIX", "").rstrip("/").rpartition("/")[2]
    metadata = pod["metadata"]
    for name in (
        server,
        (metadata.get("labels") or {}).get("notebook-name"),
        next(iter(containers)) if len(containers) == 1 else None,
        (metadata.get("annotations") or {}).get(_DEFAULT_CONTAINER),
    ):
        if name in containers:
            return containers[name]
    raise UsageError(
        f"the pod {metadata['name']} has the containers {', '.join(containers)}, and none is"
        " known as the notebook's",
        hint=f"Give the pod the annotation {_DEFAULT_CONTAINER} with the container's name.",
    )


def _directory(given: str | os.PathLike[str] | None, container: Json, *, here: bool) -> str:
    if here:
        return os.path.realpath(given or os.curdir)
    return str(given or container.get("workingDir") or "")


def _volumes(
    cluster: Cluster, pod: Json, container: Json, directory: str
) -> tuple[tuple[MountedVolume, ...], tuple[OtherVolume, ...]]:
    """The claims that the container mounts, and everything else in the pod."""
    sources = {volume["name"]: volume for volume in pod["spec"].get("volumes") or ()}
    mounts = [(mount, _path(mount)) for mount in container.get("volumeMounts") or ()]
    home = _holder(directory, [path for _, path in mounts])
    volumes, others = [], []
    claims: dict[str, Json] = {}
    for mount, path in mounts:
        source = sources[mount["name"]]
        claim = _claim_name(source, pod)
        why = _why_not(source, mount)
        if claim is None or why:
            others.append(OtherVolume(mount["name"], path, why or "it is no claim"))
            continue
        if claim not in claims:
            claims[claim] = _read_claim(cluster, claim)
        read_only = bool(
            mount.get("readOnly") or (source.get("persistentVolumeClaim") or {}).get("readOnly")
        )
        volumes.append(
            _mounted(
                claims[claim],
                path=path,
                sub_path=mount.get("subPath", ""),
                read_only=read_only,
                workspace=path == home,
            )
        )
    return tuple(volumes), (*others, *_unmounted(pod, container))


def _path(mount: Json) -> str:
    return str(PurePosixPath(mount["mountPath"]))


def _holder(directory: str, paths: list[str]) -> str | None:
    """The mount that a folder lies on: the deepest of those above it."""
    if not directory:
        return None
    here = PurePosixPath(directory)
    above = [path for path in paths if here.is_relative_to(path)]
    return max(above, key=len, default=None)


def _claim_name(source: Json, pod: Json) -> str | None:
    if "persistentVolumeClaim" in source:
        name: str = source["persistentVolumeClaim"]["claimName"]
        return name
    if "ephemeral" in source:
        return f"{pod['metadata']['name']}-{source['name']}"
    return None


def _why_not(source: Json, mount: Json) -> str:
    if mount.get("subPathExpr"):
        return "its subPathExpr has another value in each pod"
    if "ephemeral" in source:
        return "its claim lives and dies with the pod"
    return next((why for kind, why in _SOURCES.items() if kind in source), "")


def _unmounted(pod: Json, container: Json) -> Iterator[OtherVolume]:
    """Claims of the pod that this container does not mount as a folder."""
    mounted = {mount["name"] for mount in container.get("volumeMounts") or ()}
    devices = {item["name"]: item for item in container.get("volumeDevices") or ()}
    for source in pod["spec"].get("volumes") or ():
        name = source["name"]
        if name in mounted or "persistentVolumeClaim" not in source:
            continue
        if name in devices:
            yield OtherVolume(name, devices[name]["devicePath"], "it is a raw block device")
            continue
        users = [
            each["name"]
            for each in pod["spec"]["containers"]
            if any(mount["name"] == name for mount in each.get("volumeMounts") or ())
        ]
        where = f"only the container {', '.join(users)} mounts it" if users else "nothing mounts it"
        yield OtherVolume(name, "", where)


def _read_claim(cluster: Cluster, name: str) -> Json:
    try:
        return cluster.get(CLAIMS, name)
    except NotFoundError as error:
        raise ClusterError(
            f"the notebook mounts the claim {name}, which does not exist any more",
            hint="Restart the notebook without it.",
        ) from error


def _mounted(
    claim: Json, *, path: str, sub_path: str, read_only: bool, workspace: bool
) -> MountedVolume:
    metadata, spec, status = claim["metadata"], claim["spec"], claim.get("status") or {}
    annotations = metadata.get("annotations") or {}
    asked = (spec.get("resources") or {}).get("requests") or {}
    return MountedVolume(
        claim=metadata["name"],
        path=path,
        uid=metadata["uid"],
        sub_path=sub_path,
        read_only=read_only,
        workspace=workspace,
        storage_class=spec.get("storageClassName"),
        driver=next((annotations[key] for key in _PROVISIONER if key in annotations), ""),
        modes=tuple(spec.get("accessModes") or ()),
        volume_mode=spec.get("volumeMode", "Filesystem"),
        size=(status.get("capacity") or {}).get("storage") or asked.get("storage", ""),
        phase="being deleted"
        if metadata.get("deletionTimestamp")
        else status.get("phase", "Pending"),
    )
