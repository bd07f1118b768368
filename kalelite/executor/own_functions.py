"""The functions of kalelite's own steps: what `kalelite.snapshot` does."""

from __future__ import annotations

from pathlib import Path

from kalelite.errors import UsageError
from kalelite.executor.metrics import current_record
from kalelite.home_folder import home
from kalelite.humanize import count, size


def snapshot(volume: str = "workspace") -> str:
    """Keep the state that a folder is in now.

    In the body of a pipeline it is a step: ``kept = snapshot("workspace", after=model)``; steps
    that change the folder later wait for it, ``after=kept``. Called elsewhere, it is taken at once.
    ``kalelite snapshots`` lists them with run, step and time, and restores one.

    Parameters
    ----------
    volume
        ``"workspace"``, the folder of the project, or the path of a folder, such as the one at
        which steps find a volume.

    Returns
    -------
    str
        The snapshot's id.

    Raises
    ------
    UsageError
        There is no such folder, or no room.
    """
    from kalelite.volumes.folder_snapshots import FolderSnapshots
    from kalelite.volumes.workspace import workspace

    record = current_record()
    if not record:
        return FolderSnapshots(home()).take(volume, _folder(volume, workspace())).id
    run = Path(record).parents[2]
    if Path.cwd().is_relative_to(run):
        raise UsageError(
            "this step has a working folder of its own, made of links, and no workspace",
            hint="Call snapshot() in the body of the pipeline, after the step.",
        )
    step = Path(record).parent.name
    taken = FolderSnapshots(run.parents[1]).take(
        volume, _folder(volume, workspace()), run=run.name, step=step
    )
    what = f"{count(taken.files, 'file')}, {size(taken.size)}"
    print(f"snapshot {taken.id} of {taken.folder}: {what}")
    for each in taken.left_out:
        print(f"left out: {each}")
    return taken.id


def _folder(volume: str, workspace: Path) -> Path:
    if volume == "workspace":
        return workspace
    folder = Path(volume).expanduser()
    if not folder.is_dir():
        raise UsageError(
            f"there is no folder {str(folder)!r} to take a snapshot of",
            hint="Name a folder, or 'workspace' for that of the project.",
        )
    return folder.resolve()
