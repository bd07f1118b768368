"""Whether what is to be made fits into the quotas and limit ranges of a namespace."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from kalelite.errors import Problem
from kalelite.plan.options import quantity
from kalelite.volumes.discover import Notebook
from kalelite.volumes.resources import Json
from kalelite.volumes.storage_facts import Facts
from kalelite.volumes.wishes import Wishes

_OF_CLASS = ".storageclass.storage.k8s.io/"


def quota_problems(
    book: Notebook, facts: Facts, wishes: Wishes, snapshots: int
) -> Iterator[Problem]:
    """What does not fit of the snapshots, so many, and the claims for a run."""
    claims = list(_new_claims(book, facts, wishes))
    needs = _needs(claims, snapshots)
    for quota in facts.quotas:
        yield from _over(quota, needs)
    for limits in facts.limit_ranges:
        for limit in limits["spec"].get("limits") or ():
            if limit.get("type") == "PersistentVolumeClaim":
                for what, size, _ in claims:
                    yield from _outside(limits["metadata"]["name"], limit, what, size)


def _needs(claims: list[tuple[str, int, str]], snapshots: int) -> Counter[str]:
    """How much of each resource that a quota can count is needed."""
    needs: Counter[str] = Counter()
    for _, size, storage_class in claims:
        for prefix in ("", storage_class + _OF_CLASS):
            needs[prefix + "requests.storage"] += size
            needs[prefix + "persistentvolumeclaims"] += 1
    needs["count/persistentvolumeclaims"] = len(claims)
    needs["count/volumesnapshots.snapshot.storage.k8s.io"] = snapshots
    needs["configmaps"] = needs["count/configmaps"] = 2 if claims else 1
    return needs


def _over(quota: Json, needs: Counter[str]) -> Iterator[Problem]:
    status = quota.get("status") or {}
    hard, used = status.get("hard") or {}, status.get("used") or {}
    for resource, limit in hard.items():
        need = needs.get(resource, 0)
        if need and quantity.size_of(used.get(resource, "0")) + need > quantity.size_of(limit):
            yield Problem(
                f"quota {quota['metadata']['name']}: {resource} is limited to {limit},"
                f" {used.get(resource, '0')} are used and {_spell(resource, need)} more are needed",
                "Free something (kalelite clean), or have the quota raised.",
            )


def _outside(name: str, limit: Json, what: str, size: int) -> Iterator[Problem]:
    most = (limit.get("max") or {}).get("storage")
    least = (limit.get("min") or {}).get("storage")
    if most and size > quantity.size_of(most):
        yield Problem(
            f"{what} needs {_spell('storage', size)}, and the limit range {name} allows {most}",
            "Have the limit raised, or work on a smaller volume.",
        )
    if least and size < quantity.size_of(least):
        yield Problem(
            f"{what} needs {_spell('storage', size)}, and the limit range {name} asks for at"
            f" least {least}",
            "Ask for more, or have the limit lowered.",
        )


def _spell(resource: str, number: int) -> str:
    if "storage" not in resource.rpartition("/")[2]:
        return str(number)
    for suffix, unit in (("Gi", 1024**3), ("Mi", 1024**2)):
        if number and number % unit == 0:
            return f"{number // unit}{suffix}"
    return str(number)


def _new_claims(book: Notebook, facts: Facts, wishes: Wishes) -> Iterator[tuple[str, int, str]]:
    """What will be made: a name for messages, its bytes, its storage class."""
    if wishes.clones:
        for volume in book.volumes:
            octets = quantity.size_of(volume.size) if volume.size else 0
            name = wishes.storage_class or volume.storage_class or ""
            yield f"the clone of claim {volume.claim}", octets, name
    if wishes.marshal_volume is True:
        default = facts.default_class()
        name = wishes.storage_class or (default.name if default else "")
        yield "the marshal volume", quantity.size_of(wishes.marshal_volume_size or "5Gi"), name
