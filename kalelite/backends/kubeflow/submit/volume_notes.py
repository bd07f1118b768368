"""How far snapshots and claims are, as notes of a run."""

from __future__ import annotations

from collections.abc import Callable

from kalelite.volumes.waiting import Action, VolumeProgress


class VolumeNotes:
    """Tells how far volumes are, when that has changed."""

    def __init__(self, note: Callable[[str], None]) -> None:
        self._note = note
        self._last: dict[str, str] = {}

    def __call__(self, progress: VolumeProgress) -> None:
        """Take in how far one is."""
        state = _STATES.get(progress.action, progress.note or "is awaited")
        text = f"{progress.noun} of {progress.claim} {state}"
        if self._last.get(progress.name) != text:
            self._last[progress.name] = text
            self._note(text)


_STATES = {Action.DONE: "is ready", Action.FAIL: "has failed"}
