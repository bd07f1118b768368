"""The picture of a run's plan, as the record keeps it: ``diagram.json``."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kalelite.atomic import write_atomically
from kalelite.picture.diagram import BlockFrame, Diagram, Edge, TaskNode, diagram_of

if TYPE_CHECKING:
    from kalelite.plan.graph import Plan

_FILE = "diagram.json"


def write_diagram(folder: Path, plan: Plan) -> None:
    """Keep the diagram of a plan in the folder of a run. Raises `OSError`."""
    text = json.dumps(diagram_of(plan), default=_fields)
    write_atomically(folder / _FILE, text.encode())


def _fields(item: Any) -> dict[str, Any]:
    return {each.name: getattr(item, each.name) for each in dataclasses.fields(item)}


def read_diagram(folder: Path) -> Diagram | None:
    """The diagram of a run's plan; None if it has not been kept, or cannot be read."""
    try:
        data = json.loads((folder / _FILE).read_bytes())
        return Diagram(
            data["name"],
            tuple(data["about"]),
            tuple(TaskNode(**_with_tuples(one)) for one in data["nodes"]),
            tuple(BlockFrame(**_with_tuples(one)) for one in data["frames"]),
            tuple(Edge(**one) for one in data["edges"]),
        )
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _with_tuples(data: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(one) if isinstance(one, list) else one for name, one in data.items()}
