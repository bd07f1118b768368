"""What the runs of a command are called, and what is noted about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from kalelite.errors import UsageError
from kalelite.runs.run_tags import RunTags, checked_name


class RunTagging:
    """Gives each run of a command the same tags, and a name of its own: NAME, NAME-2, ..."""

    def __init__(self, name: str | None, note: str | None, tags: Sequence[str]) -> None:
        self._tags = RunTags(checked_name(name) if name else "", note or "", tags_given(tags))
        self._runs = 0

    def tag(self, folder: Path, resumes: str = "") -> None:
        """Tag a run that has begun; one that goes on from another takes over what that has."""
        self._runs += 1
        base = folder.parent / resumes
        before = RunTags.read(base) if resumes else RunTags()
        if before != RunTags():
            before.write(folder)
            replace(before, name="").write(base)
        elif self._tags != RunTags():
            number = f"-{self._runs}" if self._tags.name and self._runs > 1 else ""
            replace(self._tags, name=self._tags.name + number).write(folder)

    def tag_submitted(self, run: str, home: Path | None) -> None:
        """Tag a run that goes on elsewhere."""
        from kalelite.runs.pipeline_run import Run

        self.tag(Run.open(run, folder=home).folder)


def tags_given(words: Sequence[str]) -> dict[str, str]:
    """Tags from ``key=value``; raises `UsageError` for anything else."""
    found = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"{word!r} is no tag", hint="Write KEY=VALUE, such as data=v2.")
        found[key.strip()] = value
    return found
