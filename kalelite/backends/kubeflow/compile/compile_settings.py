"""What a compilation depends on besides the plan."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Mapping
from dataclasses import field, fields
from typing import Any

from kalelite.backends.kubeflow.compile.recalling import Reuse
from kalelite.errors import UsageError
from kalelite.frozen import frozen
from kalelite.plan import names
from kalelite.plan.graph import Plan
from kalelite.plan.options import quantity
from kalelite.plan.options.duration import seconds
from kalelite.plan.options.values import SecurityContext
from kalelite.settings import SETTINGS, Source, resolve


@frozen
class Clone:
    """A volume of the notebook that the run gets a clone of.

    Attributes
    ----------
    claim
        The notebook's own claim; it is never mounted by the run.
    path
        Where the notebook mounts it, and so where every step finds the clone.
    sub_path
        The folder of the volume that is mounted there; empty for all of it.
    size
        Kubernetes quantity.
    snapshot
        The VolumeSnapshot that the clone starts with; empty if the run takes one of the claim.
    snapshot_class
        Of that snapshot; None for the default one.
    storage_class, access_modes
        Those of the notebook's claim.
    workspace
        It holds the directory that the user works in.
    made
        The claim that was made of the snapshot for this run; without it a task of the run makes one.
    mark
        What the first step looks for in it, as `kalelite.volumes.marker.verify` does; empty if the
        volume was not marked.
    """

    claim: str
    path: str
    size: str
    snapshot: str
    storage_class: str | None = None
    access_modes: tuple[str, ...] = ("ReadWriteOnce",)
    workspace: bool = False
    made: str = ""
    sub_path: str = ""
    mark: str = ""
    snapshot_class: str | None = None


@frozen
class CodeMap:
    """A ConfigMap that holds the bundle, as it is, under a key of its ``binaryData``."""

    name: str
    key: str = "code.pyz"


@frozen
class Settings:
    """Settings of a compilation; None is a setting that is not given.

    Attributes
    ----------
    arguments
        Values of pipeline parameters, which become the defaults of the compiled pipeline.
    image
        The image of steps that name none; None takes the stock Python image of ``python``.
    python
        Minor version of Python that the code was captured with.
    marshal, marshal_volume, marshal_volume_size, marshal_path
        As in `kalelite.plan.options.PipelineOptions`, over which they win.
    storage_class, access_mode
        Of a marshal volume that is made for the run.
    snapshot_class, snapshot_timeout
        Of the snapshots of a notebook's volumes, and the seconds that a volume may take.
    clones
        Volumes of the notebook.
    code_map
        Where the bundle is for every step; None has the workspace's clone or a task bring it.
    run
        The id under which the run keeps its records; None takes KFP's own.
    run_as_user, run_as_group
        Whom steps run as by default: the owner of the files on the clones.
    kfp_version
        Version of KFP in the cluster; None takes that of the kfp package here.
    cache, refresh
        As in a local run: whether results of earlier runs are used, and which steps run anew.
    earlier
        The ids under which the runs that this one goes on from keep their records, latest first.
    given, given_by
        The tasks whose results are those of an earlier run, and the ids as in ``earlier``.
    pods
        "few": steps that fit together share a pod; "each": every step has its own.
    """

    arguments: Mapping[str, Any] = field(default_factory=dict)
    image: str | None = None
    python: str = f"{sys.version_info.major}.{sys.version_info.minor}"
    marshal: str = "volume"
    marshal_volume: bool | str | None = None
    marshal_volume_size: str | None = None
    marshal_path: str | None = None
    storage_class: str | None = None
    access_mode: str = "ReadWriteOnce"
    snapshot_class: str | None = None
    snapshot_timeout: float | None = None
    clones: tuple[Clone, ...] = ()
    code_map: CodeMap | None = None
    run: str | None = None
    run_as_user: int | None = None
    run_as_group: int | None = None
    kfp_version: str | None = None
    cache: bool | None = None
    refresh: tuple[str, ...] = ()
    earlier: tuple[str, ...] = ()
    given: frozenset[str] = frozenset()
    given_by: tuple[str, ...] = ()
    pods: str = "each"

    @property
    def reuse(self) -> Reuse:
        return Reuse(self.cache, self.refresh, self.earlier, self.given, self.given_by)

    @property
    def carries(self) -> bool:
        """Whether values travel as artifacts of KFP."""
        return self.marshal == "artifacts"

    @property
    def lasts(self) -> bool:
        """Whether the volume with the values is one that outlives the run."""
        return isinstance(self.marshal_volume, str)

    @property
    def room(self) -> int:
        """The bytes that have to be free on such a volume when a run begins."""
        wished = self.marshal_volume_size if self.lasts else None
        return quantity.size_of(wished) if wished else 0

    @property
    def default_image(self) -> str:
        return self.image or f"python:{self.python}"

    @property
    def user(self) -> SecurityContext | None:
        user = SecurityContext(self.run_as_user, self.run_as_group)
        return user if user != SecurityContext() else None


_OF_VOLUME = ("marshal_volume", "marshal_volume_size", "marshal_path")


def settings_for(plan: Plan, given: Mapping[str, Any]) -> Settings:
    """The settings of a compilation: those that are given, else the pipeline's own.

    Raises `UsageError` for a setting that does not exist, or a value that Kubernetes would refuse.
    """
    known = [item.name for item in fields(Settings)]
    for name in given:
        if name not in known:
            close = difflib.get_close_matches(name, known, 1)
            hint = f"Did you mean {close[0]!r}?" if close else f"There are {', '.join(known)}."
            raise UsageError(f"{name!r} is not a setting of the Kubeflow backend", hint=hint)
    values = {name: value for name, value in given.items() if value is not None}
    of_pipeline = {name: getattr(plan.options, name) for name in ("marshal", *_OF_VOLUME, "pods")}
    sources = [
        Source("setting", given, is_text=False),
        Source("decorator", of_pipeline, is_text=False),
    ]
    values |= {name: resolve(SETTINGS[name], sources).value for name in of_pipeline}
    values["marshal"] = values["marshal"] or "volume"
    of_volume = [name for name in _OF_VOLUME if values[name]]
    if values["marshal"] == "artifacts" and of_volume:
        raise UsageError(
            f"{of_volume[0]}={values[of_volume[0]]!r} goes with a volume, and the values travel as "
            "artifacts",
            hint=f"Leave {of_volume[0]} out, or marshal='artifacts'.",
        )
    spelled = {
        name: spell(values[name], name=name)
        for name, spell in _SPELLED.items()
        if values.get(name) is not None
    }
    return Settings(**{**values, **spelled})


def _image(value: Any, name: str) -> str:
    if not isinstance(value, str) or not value or value.split() != [value]:
        raise UsageError(f"{name}={value!r} is not the name of an image")
    return value


def _volume(value: bool | str, name: str) -> bool | str:
    return names.object_name(value, name) if isinstance(value, str) else value


_SPELLED: dict[str, Callable[..., Any]] = {
    "image": _image,
    "marshal_volume": _volume,
    "marshal_volume_size": quantity.memory,
    "marshal_path": names.mount_path,
    "access_mode": names.access_mode,
    "storage_class": names.object_name,
    "snapshot_class": names.object_name,
    "snapshot_timeout": seconds,
}
"""What holds values to the rules of Kubernetes, and spells them as it does."""
