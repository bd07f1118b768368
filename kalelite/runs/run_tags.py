"""What people call a run and note about it: ``tags.json`` beside its record, written at any time."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from kalelite.atomic import write_atomically
from kalelite.errors import UsageError
from kalelite.frozen import frozen

_FILE = "tags.json"
_NAME = re.compile(r"[^\W\d_][\w.-]*")


@frozen
class RunTags:
    """A name, a note and tags; empty is none."""

    name: str = ""
    note: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> RunTags:
        """Those of a run's folder."""
        try:
            data = json.loads((folder / _FILE).read_bytes())
            return cls(data["name"], data["note"], data["tags"])
        except (OSError, ValueError, KeyError, TypeError):
            return cls()

    def write(self, folder: Path) -> None:
        """Make them those of a run's folder."""
        write_atomically(folder / _FILE, json.dumps(self.as_json(), indent=1).encode())

    def as_json(self) -> dict[str, Any]:
        """The fields by name."""
        return {"name": self.name, "note": self.note, "tags": dict(self.tags)}

    def rows(self) -> list[tuple[str, str]]:
        """What there is of it, by what it is."""
        all_of_it = [("name", self.name), *self.tags.items(), ("note", self.note)]
        return [(title, text) for title, text in all_of_it if text]

    def matches(self, wanted: Mapping[str, str | None]) -> bool:
        """Whether it has these tags, with these values where one is given."""
        return all(
            name in self.tags and value in {None, self.tags[name]} for name, value in wanted.items()
        )


def checked_name(name: str) -> str:
    """A name that a run may have.

    Raises `UsageError`: it could be taken for an id, or needs quotes in a shell.
    """
    if not _NAME.fullmatch(name) or name == "last":
        raise UsageError(
            f"a run cannot be called {name!r}",
            hint="A name begins with a letter; then letters, digits, dots, dashes and underscores.",
        )
    return name


def folders_named(base: Path, name: str) -> Iterator[str]:
    """The ids of the runs of that name, oldest first."""
    for path in sorted(base.glob(f"[!.]*/{_FILE}")):
        if RunTags.read(path.parent).name == name:
            yield path.parent.name
