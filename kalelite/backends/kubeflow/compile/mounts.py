"""Which volumes a run mounts, which of them it makes, and where kalelite lives on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from kalelite.backends.kubeflow.compile.compile_settings import (
    DEFAULT_MARSHAL_PATH,
    DEFAULT_MARSHAL_SIZE,
    Clone,
    Settings,
)
from kalelite.backends.kubeflow.compile.escaping import JOB_NAME
from kalelite.errors import Problem
from kalelite.plan.graph import ContainerDef, Task
from kalelite.plan.options.values import Volume

__all__ = ["Creation", "Mount", "Storage", "mount_problems", "storage_of"]


@dataclass(frozen=True, slots=True)
class Creation:
    """A task that makes a claim named after the run, with ``suffix`` behind it."""

    task: str
    suffix: str
    size: str
    modes: tuple[str, ...]
    storage_class: str | None = None
    snapshot: str | None = None
    what: str = ""


@dataclass(frozen=True, slots=True)
class Mount:
    """A volume in every step: a claim with a constant name, or one that the task ``made_by`` made."""

    path: str
    claim: str = ""
    made_by: str = ""


@dataclass(frozen=True, slots=True)
class Storage:
    """The volumes of a run.

    ``home`` is the folder of kalelite: code, store and run records. ``new_root`` is the mount
    point of a volume that is empty at first, which a stage task has to make writable. ``staged``
    is whether a task has to write the bundle; if not, it is in the workspace that was cloned.
    """

    creations: tuple[Creation, ...]
    mounts: tuple[Mount, ...]
    home: str
    staged: bool
    new_root: str = ""

    def code_path(self, digest: str) -> str:
        """Where a bundle lies: its name is its digest, so nothing is ever changed."""
        return f"{self.home}/code/{digest[:16]}.pyz"

    @property
    def volumes(self) -> tuple[Volume, ...]:
        """The claims whose names are known when a task is compiled."""
        return tuple(Volume(mount.claim, mount.path) for mount in self.mounts if mount.claim)

    @property
    def made_by(self) -> tuple[tuple[str, str], ...]:
        """The tasks that make the other claims, and where those are mounted."""
        return tuple((mount.made_by, mount.path) for mount in self.mounts if mount.made_by)


def storage_of(settings: Settings) -> Storage:
    """The volumes that the settings ask for.

    Values are stored on the marshal volume; without one, in a hidden folder of the workspace's
    clone; without either, on a marshal volume of the usual size.
    """
    workspace = next((clone for clone in settings.clones if clone.workspace), None)
    in_workspace = workspace is not None and not settings.marshal_volume
    creations, mounts = [], []
    for number, clone in enumerate(settings.clones, 1):
        is_home = in_workspace and clone is workspace
        creation = _clone(number, clone, suffix="" if is_home else f"-{number}")
        creations.append(creation)
        named = {"claim": JOB_NAME} if is_home else {"made_by": creation.task}
        mounts.append(Mount(clone.path, **named))
    if in_workspace and workspace is not None:
        home = f"{workspace.path}/.kalelite"
        return Storage(tuple(creations), tuple(mounts), home, staged=False)
    path = settings.marshal_path or DEFAULT_MARSHAL_PATH
    new_root = ""
    if isinstance(settings.marshal_volume, str):
        mounts.append(Mount(path, settings.marshal_volume))
    else:
        creations.append(_marshal(settings))
        mounts.append(Mount(path, JOB_NAME))
        new_root = path
    # A lasting volume belongs to somebody: only kalelite's own folder is opened there.
    return Storage(tuple(creations), tuple(mounts), f"{path}/.kalelite", True, new_root)


def _clone(number: int, clone: Clone, suffix: str) -> Creation:
    return Creation(
        task=f"create-volume-{number}",
        suffix=suffix,
        size=clone.size,
        modes=clone.access_modes,
        storage_class=clone.storage_class,
        snapshot=clone.snapshot,
        what=f"clone of {clone.claim}",
    )


def _marshal(settings: Settings) -> Creation:
    return Creation(
        task="create-marshal-volume",
        suffix="",
        size=settings.marshal_volume_size or DEFAULT_MARSHAL_SIZE,
        modes=(settings.access_mode,),
        storage_class=settings.storage_class,
        what="marshal volume",
    )


def mount_problems(task: Task, settings: Settings) -> Iterator[Problem]:
    """Mounts that a pod cannot have together."""
    options = task.options
    claims = Counter(volume.claim for volume in options.volumes)
    paths = [volume.path for volume in options.volumes]
    paths += [ref.path for ref in (*options.secrets, *options.config_maps) if hasattr(ref, "path")]
    if not isinstance(task.step, ContainerDef):
        storage = storage_of(settings)
        claims.update(mount.claim for mount in storage.mounts if mount.claim not in ("", JOB_NAME))
        paths += [mount.path for mount in storage.mounts]
    for claim, count in claims.items():
        if count > 1:
            hint = "Mount it once and use folders inside it."
            yield Problem(f"the claim {claim!r} is mounted {count} times", hint, task.where)
        if "." in claim or len(claim) > 63:
            hint = "KFP names the pod's volume after the claim: 63 characters, no dot."
            yield Problem(f"KFP cannot mount the claim {claim!r}", hint, task.where)
    for path, count in Counter(paths).items():
        if count > 1:
            hint = "Give each its own path; marshal_path= moves the marshal volume."
            yield Problem(f"{count} mounts at {path}", hint, task.where)
