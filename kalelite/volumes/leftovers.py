"""What runs have left in a namespace: found, judged, and removed. Never what is in use."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from kalelite.errors import Problem
from kalelite.frozen import frozen
from kalelite.humanize import duration
from kalelite.volumes.cluster import Cluster
from kalelite.volumes.cluster_errors import ApiError, NotFoundError, VolumeError
from kalelite.volumes.provision import RUN_LABEL
from kalelite.volumes.resources import (
    CLAIMS,
    CONFIG_MAPS,
    OURS,
    PODS,
    SCHEDULES,
    SNAPSHOTS,
    WORKFLOWS,
    Json,
    Resource,
)

_ORDER = (PODS, CLAIMS, SNAPSHOTS, CONFIG_MAPS)
"""A snapshot whose clone waits for its first pod can never be deleted, and owners take all along."""
_ENDED = frozenset({"Succeeded", "Failed"})
_PAUSE = 0.5


@frozen
class Leftover:
    """An object of kalelite's. ``age`` is in seconds; ``kept`` says why it has to stay, if it has."""

    resource: Resource
    name: str
    uid: str
    run: str
    age: float
    kept: str = ""


@frozen
class _Namespace:
    """What there is: the objects by kind, who mounts what, and the uids of runs that go on."""

    found: Mapping[Resource, Sequence[Json]]
    mounts: Mapping[tuple[Resource, str], str]
    going: frozenset[str]


def find_leftovers(cluster: Cluster, now: float, older_than: float) -> list[Leftover]:
    """All that kalelite has made here, oldest first; ``now`` is in POSIX seconds.

    What is not ``older_than`` so many seconds stays, and what is in use: what a pod that has not
    ended mounts, or the Workflow of a run that goes on owns; a snapshot of which a clone that
    stays is still to be made; and the owner of anything that stays.
    """
    found = {kind: cluster.list(kind) for kind in _ORDER}
    going = _with_owned(_going(cluster), found[CONFIG_MAPS])
    there = _Namespace(found, dict(_mounted(found[PODS])), going)
    left: list[Leftover] = []
    held: dict[str, str] = {}
    """Why an object stays, by its uid, or its kind and name."""
    for kind in _ORDER:
        for each in found[kind]:
            one = _leftover(kind, each, now)
            what = f"{kind.noun} {one.name}"
            owners = [owner["uid"] for owner in each["metadata"].get("ownerReferences") or ()]
            ours = _is_ours(each)
            kept = "" if ours else f"{what} is not of kalelite"
            kept = kept or _use(kind, each, owners, there) or held.get(one.uid, "")
            kept = kept or held.get(f"{kind.plural}/{one.name}", "")
            if not kept and one.age < older_than:
                kept = f"{what} was made {duration(one.age)} ago"
            if kept:
                held |= dict.fromkeys([*owners, *_still_needed(kind, each)], kept)
            if ours and not each["metadata"].get("deletionTimestamp"):
                left.append(replace(one, kept=kept))
    # An owner may come before what it owns: once more, now that all is known.
    left = [replace(each, kept=each.kept or held.get(each.uid, "")) for each in left]
    return sorted(left, key=lambda each: -each.age)


def remove_leftovers(
    cluster: Cluster,
    leftovers: Sequence[Leftover],
    *,
    deadline: float,
    report: Callable[[Leftover], None] = lambda _: None,
) -> None:
    """Delete them, and wait until they are gone; ``report`` hears of each that is.

    Raises `VolumeError` with those that are not gone after ``deadline`` seconds, and the
    finalizers that hold them.
    """
    end = cluster.clock() + deadline
    stuck: list[Problem] = []
    for kind in _ORDER:
        waiting = [each for each in leftovers if each.resource == kind]
        for each in waiting:
            cluster.delete(kind, each.name, uid=each.uid)
        while waiting:
            remaining = [(each, found) for each in waiting if (found := _still(cluster, each))]
            kept = {each.uid for each, _ in remaining}
            for each in waiting:
                if each.uid not in kept:
                    report(each)
            waiting = [each for each, _ in remaining]
            if waiting and cluster.clock() >= end:
                stuck += [_stuck(each, found) for each, found in remaining]
                break
            if waiting:
                cluster.sleep(_PAUSE)
        if stuck:  # what comes later is needed by it, or owns it
            raise VolumeError.of(tuple(stuck))


def _still(cluster: Cluster, each: Leftover) -> Json | None:
    try:
        found = cluster.get(each.resource, each.name)
    except NotFoundError:
        return None
    return found if found["metadata"]["uid"] == each.uid else None


def _stuck(each: Leftover, found: Json) -> Problem:
    held = ", ".join(found["metadata"].get("finalizers") or ()) or "nothing that it says"
    return Problem(
        f"{each.resource.noun} {each.name} is not gone yet; it is held by {held}",
        "It goes when its driver answers, or who uses it ends; kalelite clean may be called again.",
    )


def _leftover(kind: Resource, found: Json, now: float) -> Leftover:
    metadata = found["metadata"]
    run = (metadata.get("labels") or {}).get(RUN_LABEL, "")
    return Leftover(
        kind,
        metadata["name"],
        metadata["uid"],
        run,
        now - seconds_of(metadata["creationTimestamp"]),
    )


def seconds_of(text: str) -> float:
    """The POSIX time of a time as Kubernetes writes it."""
    return datetime.fromisoformat(text).timestamp()


def _use(kind: Resource, found: Json, owners: Sequence[str], there: _Namespace) -> str:
    what = f"{kind.noun} {found['metadata']['name']}"
    pod = there.mounts.get((kind, found["metadata"]["name"]))
    if pod:
        return f"pod {pod} mounts {what}"
    if there.going.intersection(owners):
        return f"the run of {what} goes on"
    if kind is PODS and (found.get("status") or {}).get("phase") not in _ENDED:
        return f"{what} has not ended"
    return ""


def _still_needed(kind: Resource, found: Json) -> Iterator[str]:
    """The snapshot that a claim is a clone of, if it has no volume yet."""
    source = found["spec"].get("dataSource") or {} if kind is CLAIMS else {}
    is_bound = (found.get("status") or {}).get("phase") == "Bound"
    if source.get("kind") == SNAPSHOTS.kind and not is_bound:
        yield f"{SNAPSHOTS.plural}/{source['name']}"


def _mounted(pods: Sequence[Json]) -> Iterator[tuple[tuple[Resource, str], str]]:
    """The claims and config maps that pods use, and a pod of each.

    A pod that has ended holds its claims as long as it is there; those of kalelite go first.
    """
    for pod in pods:
        ended = (pod.get("status") or {}).get("phase") in _ENDED
        if ended and _is_ours(pod):
            continue
        name = pod["metadata"]["name"] + (", which has ended, still" if ended else "")
        for volume in pod["spec"].get("volumes") or ():
            if "persistentVolumeClaim" in volume:
                yield (CLAIMS, volume["persistentVolumeClaim"]["claimName"]), name
            if "configMap" in volume and not ended:
                yield (CONFIG_MAPS, volume["configMap"].get("name", "")), name


def _is_ours(found: Json) -> bool:
    """Whether kalelite has made an object."""
    return OURS.items() <= (found["metadata"].get("labels") or {}).items()


def _going(cluster: Cluster) -> Iterator[str]:
    """The uids of the Workflows that go on and of recurring runs, where they may be listed."""
    with contextlib.suppress(ApiError):
        for each in cluster.list(WORKFLOWS):
            if (each.get("status") or {}).get("phase", "") in {"", "Pending", "Running"}:
                yield each["metadata"]["uid"]
    with contextlib.suppress(ApiError):
        for each in cluster.list(SCHEDULES):
            yield each["metadata"]["uid"]


def _with_owned(going: Iterable[str], owners: Sequence[Json]) -> frozenset[str]:
    """The uids of what goes on, and of the owners of things that go with it."""
    found = set(going)
    for each in owners:
        if any(one["uid"] in found for one in each["metadata"].get("ownerReferences") or ()):
            found.add(each["metadata"]["uid"])
    return frozenset(found)
