"""What a user may ask for about the volumes of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from kalelite.errors import Problem, UsageError
from kalelite.frozen import frozen
from kalelite.plan import names
from kalelite.plan.options import quantity
from kalelite.volumes.waiting import DEADLINE


@frozen
class Wishes:
    """What the user asks for; None is what is left to kalelite.

    Attributes
    ----------
    snapshot_class
        Of the snapshots.
    storage_class, access_mode
        Of the volumes that are made for the run; clones have those of the notebook's otherwise.
    snapshots, clones
        Whether snapshots are taken, and whether clones are made for a run.
    later
        The snapshots are planned only: each run takes its own when it starts.
    marshal_volume
        True for a new volume, or a lasting claim by name; False for none.
    marshal_volume_size, marshal_path
        Of the marshal volume.
    wide
        Several pods of the run may use the volumes at one time.
    one_node
        All pods of the run are bound to one node.
    kept
        The folders that steps take snapshots of, and the classes that they name for these.
    deadline
        Seconds until snapshots, or clones, have to be ready.
    """

    snapshot_class: str | None = None
    storage_class: str | None = None
    access_mode: str | None = None
    snapshots: bool = True
    clones: bool = True
    later: bool = False
    marshal_volume: bool | str = False
    marshal_volume_size: str | None = None
    marshal_path: str | None = None
    wide: bool = False
    one_node: bool = False
    kept: tuple[tuple[str, str], ...] = ()
    deadline: float = DEADLINE


_SPELLED: Mapping[str, Callable[..., str]] = {
    "snapshot_class": names.object_name,
    "storage_class": names.object_name,
    "access_mode": names.access_mode,
    "marshal_volume_size": quantity.memory,
    "marshal_path": names.mount_path,
}


def spelled(wishes: Wishes) -> Wishes:
    """The wishes as Kubernetes spells them.

    Raises `UsageError` with all that it would refuse.
    """
    problems: list[Problem] = []
    changed: dict[str, Any] = {}
    values: dict[str, Any] = {name: getattr(wishes, name) for name in _SPELLED}
    checks = dict(_SPELLED)
    if isinstance(wishes.marshal_volume, str):
        values["marshal_volume"] = wishes.marshal_volume
        checks["marshal_volume"] = names.object_name
    for name, value in values.items():
        if value is None:
            continue
        try:
            changed[name] = checks[name](value, name=name)
        except UsageError as error:
            problems.append(Problem(error.message, error.hint))
    if problems:
        raise UsageError.of(tuple(problems))
    return replace(wishes, **changed)
