"""Which volumes a run mounts, which of them it makes, and where kalelite lives on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kalelite.backends.kubeflow.compile.compile_settings import CodeMap, Settings
from kalelite.backends.kubeflow.compile.escaping import JOB_NAME, artifact_path
from kalelite.errors import Problem
from kalelite.frozen import frozen
from kalelite.plan.graph import ContainerDef, Task
from kalelite.plan.options.values import ConfigMapFiles, Volume

CODE = "/kalelite"
"""Where the ConfigMap with the code is mounted."""

CARRIED_CODE = "kalelite--code"
"""The artifact that the code is in where there is neither a volume nor a ConfigMap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Creation:
    """A claim that is made for the run and named after it, with ``suffix`` behind it.

    Every step mounts it, or the folder ``sub_path`` in it, at ``path``; ``what`` says what it is.
    It is a clone of a ``snapshot``, or of one that the run takes of the claim ``source``.
    """

    path: str
    size: str
    modes: tuple[str, ...]
    storage_class: str | None
    what: str
    suffix: str = ""
    snapshot: str | None = None
    sub_path: str = ""
    source: str = ""
    snapshot_class: str | None = None


@frozen
class Storage:
    """The volumes of a run: those that it makes, and ``existing`` ones, kalelite's own last.

    ``home`` is the folder of kalelite: code, store and run records; empty where each pod has its
    own, and values travel as artifacts. ``new_root`` is the mount
    point of a volume that is empty at first, which has to be made writable. ``staged``
    is whether a task has to write the bundle; if not, it is in the workspace that was cloned, or in
    the ``code_map``. ``work`` is the folder that steps start in, if the run has it.
    """

    creations: tuple[Creation, ...]
    home: str
    staged: bool
    existing: tuple[Volume, ...] = ()
    new_root: str = ""
    code_map: CodeMap | None = None
    work: str = ""

    def code_path(self, digest: str) -> str:
        """Where a bundle lies; on a volume its name is its digest, so nothing is ever changed."""
        if self.code_map:
            return f"{CODE}/{self.code_map.key}"
        if not self.home:
            return artifact_path("inputs", CARRIED_CODE)
        return f"{self.home}/code/{digest[:16]}.pyz"

    @property
    def volumes(self) -> tuple[Volume, ...]:
        """The claims whose names are known when a task is compiled."""
        own = (each for each in self.creations if not each.suffix)
        made = (Volume(JOB_NAME, each.path, sub_path=each.sub_path) for each in own)
        return (*made, *self.existing)

    @property
    def config_maps(self) -> tuple[ConfigMapFiles, ...]:
        """The ConfigMap with the code, if there is one."""
        return (ConfigMapFiles(CODE, self.code_map.name),) if self.code_map else ()

    @property
    def made_by(self) -> tuple[tuple[str, str, str], ...]:
        """The outputs of the prepare task that name the other claims; their paths and sub-paths."""
        others = (each for each in self.creations if each.suffix)
        return tuple((claim_output(each), each.path, each.sub_path) for each in others)

    @property
    def prepared(self) -> bool:
        """Whether a task has to run before all others."""
        return bool(self.creations) or self.staged


def claim_output(creation: Creation) -> str:
    """The output of the prepare task that names a claim."""
    return f"claim{creation.suffix.replace('-', '_')}"


def storage_of(settings: Settings) -> Storage:
    """The volumes that the settings ask for.

    Values that do not travel as artifacts are stored on the marshal volume; without one, in a hidden folder of the workspace's
    clone; without either, on a marshal volume of the usual size.
    """
    workspace = next((clone for clone in settings.clones if clone.workspace), None)
    if settings.marshal_volume:
        workspace = None
    creations = [
        Creation(
            path=clone.path,
            suffix="" if clone is workspace else f"-{number}",
            size=clone.size,
            modes=clone.access_modes,
            storage_class=clone.storage_class,
            snapshot=clone.snapshot or None,
            sub_path=clone.sub_path,
            source="" if clone.snapshot else clone.claim,
            snapshot_class=clone.snapshot_class,
            what=f"clone of {clone.claim}",
        )
        for number, clone in enumerate(settings.clones, 1)
        if not clone.made
    ]
    made = tuple(
        Volume(clone.made, clone.path, sub_path=clone.sub_path)
        for clone in settings.clones
        if clone.made
    )
    code_map = settings.code_map
    work = ""
    if workspace is not None:
        here = Path.cwd()
        work = str(here) if here.is_relative_to(workspace.path) else workspace.path
    if settings.carries:
        return Storage(tuple(creations), "", not code_map, made, code_map=code_map, work=work)
    if workspace is not None:
        home = f"{workspace.path}/.kalelite"
        return Storage(tuple(creations), home, False, made, code_map=code_map, work=work)
    path = settings.marshal_path or "/marshal"
    home = f"{path}/.kalelite"
    if isinstance(settings.marshal_volume, str):
        # It belongs to somebody: only kalelite's own folder is opened there.
        volumes = (*made, Volume(settings.marshal_volume, path))
        return Storage(tuple(creations), home, not code_map, volumes, code_map=code_map)
    marshal = Creation(
        path=path,
        size=settings.marshal_volume_size or "5Gi",
        modes=(settings.access_mode,),
        storage_class=settings.storage_class,
        what="marshal volume",
    )
    return Storage((*creations, marshal), home, not code_map, made, path, code_map)


def mount_problems(task: Task, settings: Settings) -> Iterator[Problem]:
    """Mounts that a pod cannot have together."""
    options = task.options
    volumes = list(options.volumes)
    references = [ref for ref in (*options.secrets, *options.config_maps) if hasattr(ref, "path")]
    paths = [mount.path for mount in (*volumes, *references)]
    if not isinstance(task.step, ContainerDef):
        storage = storage_of(settings)
        paths += [creation.path for creation in storage.creations]
        volumes += storage.existing
        paths += [volume.path for volume in storage.existing]
        paths += [CODE] if storage.code_map else []
    claims = Counter(volume.claim for volume in volumes)
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
