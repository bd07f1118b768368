"""What a run has that later runs may take: the records of its instances, and what they depend on."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kalelite.atomic import write_atomically
from kalelite.executor.spec import Record
from kalelite.executor.task_key import TaskKey, digest
from kalelite.humanize import moment
from kalelite.runs.run_files import KeptData, KeysData


def read_kept(folder: Path) -> dict[str, KeptData]:
    """What a run has taken from earlier ones, by instance: the lines of ``kept.jsonl``."""
    found: dict[str, KeptData] = {}
    with contextlib.suppress(OSError):
        for line in (folder / "kept.jsonl").read_bytes().split(b"\n"):
            with contextlib.suppress(ValueError, KeyError, TypeError):  # a torn last line
                entry = json.loads(line)
                found[entry["record"]["task"]] = entry
    return found


def read_records(folder: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The records of all instances that have ended, by name, as the JSON that they are."""
    kept = read_kept(folder)
    outside = {name for name, entry in kept.items() if not entry["record"].get("versions")}
    for name, entry in kept.items():
        if name not in outside:
            yield name, entry["record"]
    with contextlib.suppress(OSError):
        for path in (folder / "tasks").iterdir():
            if path.name not in kept or path.name in outside:
                with contextlib.suppress(OSError, ValueError):
                    yield path.name, json.loads((path / "record.json").read_bytes())


def write_keys(folder: Path, keys: Mapping[str, TaskKey]) -> None:
    """Keep what the results of the tasks depend on: `kalelite resume` and `explain` ask for it."""
    data: KeysData = {"parts": {}, "tasks": {}}
    for id, key in keys.items():
        name = digest(f"{part}\0{text}" for part, text in key.parts.items())
        data["parts"][name] = dict(key.parts)
        data["tasks"][id] = {
            "parts": name,
            "lineage": key.lineage,
            "constants": dict(key.constants),
            "first": key.first,
            "sources": {argument: list(found) for argument, found in key.sources.items()},
        }
    write_atomically(folder / "keys.json", json.dumps(data).encode())


def read_keys(folder: Path) -> dict[str, TaskKey]:
    """What the results of a run's tasks depend on, by task; nothing where that was not kept."""
    try:
        data: KeysData = json.loads((folder / "keys.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return {
        id: TaskKey(
            data["parts"][key["parts"]],
            key["lineage"],
            key["constants"],
            key["first"],
            {name: tuple(found) for name, found in key["sources"].items()},
        )
        for id, key in data["tasks"].items()
    }


def cached_reason(record: Record) -> str:
    """From which run a result was taken, and how old it is."""
    return f"as in run {record.cached}, since {moment(record.finished)}"
