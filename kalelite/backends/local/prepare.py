"""What has to be clear before the first step starts: options that this machine must satisfy."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from kalelite.backends.local.local_options import without_effect
from kalelite.backends.local.local_settings import LocalSettings
from kalelite.blake import blake2b
from kalelite.errors import UsageError
from kalelite.plan.check.advice import advice
from kalelite.plan.graph import ContainerDef, Plan, Task
from kalelite.plan.options.values import (
    ConfigMapEnv,
    ConfigMapFiles,
    SecretEnv,
    SecretFiles,
    Volume,
)


def require_folder() -> None:
    """Raise `UsageError` where the current folder was removed: steps start in it."""
    try:
        os.getcwd()  # only whether it raises
    except FileNotFoundError:
        raise UsageError(
            "the current folder does not exist any more",
            hint="Steps start in it: go to one that is there, or create it again.",
        ) from None


def require_libraries(plan: Plan) -> None:
    """Raise `UsageError` where a step of kalelite's own needs a package that is not here."""
    from importlib.util import find_spec

    from kalelite.executor.own_functions import libraries_of

    for task in plan.tasks:
        missing = [name for name in libraries_of(task) if find_spec(name) is None]
        if missing and not task.options.packages:
            raise UsageError(
                f"{task.step.name} needs {' and '.join(missing)}: not installed here",
                hint=f"pip install {' '.join(missing)}, or .options(packages={missing})",
                where=task.where,
            )


def notes_on(
    plan: Plan, arguments: Mapping[str, Any], settings: LocalSettings, gpus: tuple[str, ...]
) -> list[str]:
    """What the user should know once: such as options without effect on this machine."""
    notes = list(advice(plan, arguments, apart=not settings.debug))
    names = without_effect(plan)
    options = [task.options for task in plan.tasks]
    if any(each.memory for each in options):
        from kalelite.attempts.posix import can_limit_memory  # which loads the C library

        if not can_limit_memory():
            names.append("memory")
    if names:
        notes.append(f"These options have no effect on this machine: {', '.join(names)}.")
    wanted = max((each.gpu or 0 for each in options), default=0)
    if wanted > len(gpus):
        have = f"has {len(gpus)}: it gets what there is" if gpus else "has none: it runs without"
        gpu = f"{wanted} GPU{'' if wanted == 1 else 's'}"
        notes.append(f"A step asks for {gpu}, and this machine {have}.")
    entries = [entry for each in options for entry in (*each.secrets, *each.config_maps)]
    missing = sorted(set(map(_absent, entries)) - {""})
    if missing:
        notes.append(
            "Secrets and config maps are variables of your shell and folders of this machine, and these "
            f"are not there: {', '.join(missing)}."
        )
    volumes = [volume for each in options for volume in each.volumes]
    paths = {volume.path for volume in volumes if volume.claim not in settings.volumes}
    missing = sorted(path for path in paths if not Path(path).exists())
    if missing:
        notes.append(
            f"Volumes are folders of this machine, and these are not there: {', '.join(missing)}. "
            "Make them, or links to the folders that take their place."
        )
    if settings.debug:
        asked = {each for task in plan.tasks for each in task.options.packages or ()}
        absent = sorted(each for each in asked if not _installed(each))
        if absent:
            notes.append(
                "With --debug steps run in this process, and packages= has no effect; it lacks: "
                f"{', '.join(absent)}."
            )
    return notes


def _absent(entry: SecretEnv | SecretFiles | ConfigMapEnv | ConfigMapFiles) -> str:
    """The variable or folder that a secret or config map is here, if it is not there."""
    if isinstance(entry, SecretEnv | ConfigMapEnv):
        return "" if entry.variable in os.environ else entry.variable
    return "" if Path(entry.path).is_dir() else entry.path


@contextlib.contextmanager
def volumes_linked(plan: Plan, folders: Mapping[str, Path]) -> Iterator[None]:
    """Let each volume's path lead to its claim's folder, by a symbolic link while the run lasts.

    Raises `UsageError` if the folder is not there, or something else is at the path.
    """
    made: list[Path] = []
    try:
        for task in plan.tasks:
            for volume in task.options.volumes:
                if volume.claim not in folders:
                    continue
                folder = _folder(task, volume, folders[volume.claim])
                # Into a container the folder itself is mounted.
                if not isinstance(task.step, ContainerDef) and _link(task, volume, folder):
                    made.append(Path(volume.path))
        yield
    finally:
        for path in made:
            with contextlib.suppress(OSError):
                path.unlink()


def _folder(task: Task, volume: Volume, folder: Path) -> Path:
    target = (folder / volume.sub_path).resolve()
    if not target.is_dir():
        raise UsageError(
            f"the folder {target} of the volume {volume.claim!r} is not there", where=task.where
        )
    return target


def _link(task: Task, volume: Volume, target: Path) -> bool:
    """Make a volume's link; False if its path leads to the folder already."""
    path = Path(volume.path)
    if path.resolve() == target:
        return False
    if path.exists() or path.is_symlink():
        raise UsageError(
            f"the volume {volume.claim!r} belongs at {path}, where something else is",
            hint=f"Move that away, or mount the volume elsewhere; its folder is {target}.",
            where=task.where,
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target)
    except OSError as error:
        raise UsageError(
            f"the volume {volume.claim!r} cannot be put at {path}: {error.strerror}",
            hint=f"Make the link yourself: sudo ln -s {target} {path}",
            where=task.where,
        ) from error
    return True


def packages_of(
    plan: Plan, home: Path, note: Callable[[str], object]
) -> dict[tuple[str, ...], Path]:
    """A folder for each set of packages that steps ask for and that is not installed here.

    The folders are kept, and shared by all runs. Raises `UsageError` if pip cannot install them.
    """
    folders = {}
    for task in plan.tasks:
        wanted = task.options.packages
        if wanted and wanted not in folders and not all(map(_installed, wanted)):
            folders[wanted] = _install(task, wanted, home, note)
    return folders


def _installed(requirement: str) -> bool:
    """Whether this environment satisfies a requirement; False leaves it to pip to decide."""
    import importlib.metadata  # most runs ask for no packages, and these are slow to import

    from packaging.markers import UndefinedEnvironmentName
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        wanted = Requirement(requirement)
        applies = wanted.marker is None or wanted.marker.evaluate()
        found = importlib.metadata.version(wanted.name) if applies else ""
    except (
        InvalidRequirement,
        UndefinedEnvironmentName,
        importlib.metadata.PackageNotFoundError,
    ):
        return False
    return not applies or (not wanted.extras and wanted.specifier.contains(found, prereleases=True))


def _install(
    task: Task, wanted: tuple[str, ...], home: Path, note: Callable[[str], object]
) -> Path:
    import shutil  # not above, where each start would wait for them
    import subprocess

    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    digest = blake2b("\n".join([here, *sorted(wanted)]).encode(), digest_size=8)
    folder = home / "packages" / digest.hexdigest()
    if folder.is_dir():
        return folder
    note(f"Installing {', '.join(wanted)} for step {task.step.name!r}.")
    part = folder.with_name(f".{folder.name}.{os.getpid()}")
    part.mkdir(parents=True)
    # A pod installs in the same way, by code of its own: it has nothing but the standard library.
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(part), *wanted]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        shutil.rmtree(part, ignore_errors=True)
        last = (done.stderr.strip().splitlines() or ["pip printed nothing"])[-1]
        raise UsageError(
            f"the packages {', '.join(wanted)} could not be installed: {last}",
            hint="Install them into this environment, or correct packages=.",
            where=task.where,
        )
    with contextlib.suppress(OSError):
        part.rename(folder)
    return folder
