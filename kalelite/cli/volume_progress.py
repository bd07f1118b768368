"""How far snapshots and clones are: a line when something changes, and each ten seconds."""

from __future__ import annotations

from kalelite.display.screen import Line, Screen
from kalelite.humanize import duration, one_line
from kalelite.volumes.waiting import Action, VolumeProgress

_EVERY = 10.0
_LONGEST = 200


class VolumeLines:
    """Writes the progress of volumes to a screen."""

    def __init__(self, out: Screen) -> None:
        self._out = out
        self._last: dict[str, tuple[Action, str, float]] = {}

    def __call__(self, progress: VolumeProgress) -> None:
        """Take in how far one is, and write it if that is news."""
        state = (progress.action, progress.note)
        last = self._last.get(progress.name)
        if last is not None and last[:2] == state and progress.age - last[2] < _EVERY:
            return
        self._last[progress.name] = (*state, progress.age)
        self._out.line(*_line(progress), fit="keep")


def _line(progress: VolumeProgress) -> Line:
    what = f"{progress.noun} of {progress.claim}"
    note = f": {one_line(progress.note, _LONGEST)}" if progress.note else ""
    age = duration(progress.age)
    if progress.action is Action.DONE:
        return ("✓ ", "green"), f"{what} is ready after {age}"
    if progress.action is Action.FAIL:
        return ("✗ ", "bold red"), f"{what} failed after {age}{note}"
    return ("… ", "dim"), f"{what}: waiting for {age}{note}"
