"""Loadable units: a step loads what it uses and nothing else.

Each global is a unit of its own. Globals that hold the same mutable object, or that refer to each
other in a cycle, share one: they come back holding the same object again.
"""

from __future__ import annotations

import graphlib
from collections.abc import Callable, Iterator, Mapping

from kalelite.capture.load import Name
from kalelite.capture.namespaces import World
from kalelite.capture.pickled import Pickled
from kalelite.capture.pickler import pickled
from kalelite.frozen import frozen


@frozen
class Unit:
    """Globals that are loaded together."""

    key: str
    names: tuple[Name, ...]
    data: bytes
    edges: tuple[Name, ...]
    maybe: tuple[Name, ...]
    holds_values: bool


def units(
    entries: Mapping[Name, Pickled], world: World, class_id: Callable[[type], str]
) -> Iterator[Unit]:
    """The globals, grouped."""
    for names in _groups(entries):
        entry = entries[names[0]]
        if len(names) > 1:
            values = {name: world.value(name) for name in names}
            entry = pickled(values, world, group=frozenset(names))
        key = "+".join(f"{space}:{name}" for space, name in names)
        yield Unit(
            key,
            names,
            entry.packed(class_id),
            tuple(entry.edges),
            tuple(entry.maybe),
            entry.holds_values,
        )


def _groups(entries: Mapping[Name, Pickled]) -> list[tuple[Name, ...]]:
    """The names that have to be pickled together, in sorted order."""
    parent = {name: name for name in entries}

    def find(name: Name) -> Name:
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    holders: dict[int, Name] = {}
    for name, entry in entries.items():
        for item in entry.shared:
            parent[find(holders.setdefault(id(item), name))] = find(name)
    while True:
        graph: dict[Name, set[Name]] = {}
        for name, entry in entries.items():
            below = {find(other) for other in entry.refs if other in entries}
            graph.setdefault(find(name), set()).update(below - {find(name)})
        try:
            graphlib.TopologicalSorter(graph).prepare()
            break
        except graphlib.CycleError as error:
            first, *rest = error.args[1]
            for name in rest:
                parent[find(name)] = find(first)
    groups: dict[Name, list[Name]] = {}
    for name in sorted(entries):
        groups.setdefault(find(name), []).append(name)
    return [tuple(names) for names in groups.values()]
