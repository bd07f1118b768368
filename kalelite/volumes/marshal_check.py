"""Whether the pods of a run can use a volume together, and the marshal volume above all."""

from __future__ import annotations

from collections.abc import Iterator

from kalelite.errors import Problem
from kalelite.humanize import size
from kalelite.plan.options import quantity
from kalelite.volumes.discover import MountedVolume
from kalelite.volumes.storage_facts import Facts
from kalelite.volumes.wishes import Wishes


def marshal_problems(
    facts: Facts, wishes: Wishes, lasting: MountedVolume | None, free: int | None
) -> Iterator[Problem]:
    """What is wrong with the marshal volume that is asked for.

    ``lasting`` is the claim of that name, with ``free`` bytes if it is mounted here.
    """
    if wishes.marshal_volume is True:
        mode = wishes.access_mode or "ReadWriteOnce"
        yield from shared_use("the marshal volume", (mode,), wishes)
        name = wishes.storage_class
        if facts.storage_classes is not None and (name or facts.storage_classes):
            listed = ", ".join(facts.storage_classes)
            if name and name not in facts.storage_classes:
                yield Problem(
                    f"the marshal volume: the storage class {name!r} does not exist",
                    f"There are {listed}.",
                )
            if not name and facts.default_class() is None:
                yield Problem(
                    "the marshal volume: the cluster has no default storage class",
                    f"Name one with storage_class=: {listed}.",
                )
    elif lasting is None and wishes.marshal_volume:
        hint = "kubectl get pvc lists those that there are."
        yield Problem(f"marshal_volume={wishes.marshal_volume!r}: there is no such claim", hint)
    elif lasting is not None:
        what = f"the claim {lasting.claim} (marshal_volume)"
        late = _is_late(lasting, facts)
        if lasting.phase != "Bound" and not (lasting.phase == "Pending" and late):
            yield Problem(f"{what} is not bound but {lasting.phase}", "Look at the claim's events.")
        if lasting.volume_mode != "Filesystem":
            yield Problem(f"{what} is a raw block device", "Name a claim with a file system.")
        if not {"ReadWriteOnce", "ReadWriteMany", "ReadWriteOncePod"} & set(lasting.modes):
            yield Problem(f"{what} is read-only", "Name a claim that steps can write to.")
        yield from _room(what, wishes.marshal_volume_size, lasting.size, free)
        yield from shared_use(what, lasting.modes, wishes)


def _room(what: str, wished: str | None, holds: str, free: int | None) -> Iterator[Problem]:
    """A lasting volume that has not the room that was asked for."""
    if wished is None:
        return
    if holds and quantity.size_of(holds) < quantity.size_of(wished):
        hint = "Have it enlarged, or leave the size out."
        yield Problem(f"{what} holds {holds}, less than marshal_volume_size={wished!r}", hint)
    elif free is not None and free < quantity.size_of(wished):
        hint = "kalelite clean --store frees what no run refers to."
        message = f"{what} has {size(free)} free, less than marshal_volume_size={wished!r}"
        yield Problem(message, hint)


def _is_late(volume: MountedVolume, facts: Facts) -> bool:
    known = (facts.storage_classes or {}).get(volume.storage_class or "")
    return bool(known and known.late)


def shared_use(what: str, modes: tuple[str, ...], wishes: Wishes) -> Iterator[Problem]:
    """A volume that the pods of the run could not mount together on any node."""
    if wishes.wide and set(modes) == {"ReadWriteOncePod"}:
        yield Problem(
            f"{what} can be mounted by one pod at a time (ReadWriteOncePod), and steps of the run"
            " go side by side",
            "Ask for access_mode='ReadWriteOnce' or 'ReadWriteMany'.",
        )
