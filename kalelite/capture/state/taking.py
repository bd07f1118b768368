"""What a script has done to its process so far, as its steps need it: taken when it is captured."""

from __future__ import annotations

import ast
import linecache
import pickle
import sys
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Any

from kalelite.capture.module_overrides import added, contents
from kalelite.capture.state import generators, setups
from kalelite.capture.state.process_settings import differing
from kalelite.capture.state.shared_globals import shared
from kalelite.capture.state.top_level import Seen, TopLevel
from kalelite.errors import Where
from kalelite.frozen import mutable
from kalelite.source.locations import nodes_of, tree_of

if TYPE_CHECKING:
    from kalelite.capture.gather import Gatherer
    from kalelite.capture.pickled import Pickled


@mutable
class State:
    """The state of a script's process.

    ``settings`` and ``changes`` are by the module that has to be imported for each, ``first`` is
    the task that gets the generators as they are, ``objects`` are globals that are generators, by
    namespace and name, with their states, and ``notes`` are sentences for the user.
    """

    settings: list[tuple[str, str, Pickled]] = field(default_factory=list)
    changes: list[tuple[str, Pickled]] = field(default_factory=list)
    imports: list[str] = field(default_factory=list)
    setups: list[Pickled] = field(default_factory=list)
    generators: dict[str, Any] = field(default_factory=dict)
    objects: list[tuple[str, str, Any, Any]] = field(default_factory=list)
    first: str = ""
    notes: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        changed = self.settings or self.changes or self.imports or self.setups
        return bool(changed or self.generators or self.objects)

    @property
    def packed_generators(self) -> bytes:
        """The states of the generators, as they travel."""
        return pickle.dumps(self.generators, 5) if self.generators else b""

    def roots(self) -> Iterator[Pickled]:
        """All that was captured."""
        yield from (taken for _, _, taken in self.settings)
        yield from (taken for _, taken in self.changes)
        yield from self.setups

    def begin(self, place: str) -> None:
        """Set the generators of this process for a place of the plan."""
        own = generators.for_place(place, self.first)
        generators.begin(self.generators, own)
        for _, name, value, state in self.objects:
            generators.derive(name, value, state, own)

    def go_on(self) -> None:
        """Let the script itself go on with numbers that no step has drawn."""
        for name, state in self.generators.items():
            generators.restore(name, sys.modules[name], state, "")
        for _, name, value, state in self.objects:
            generators.derive(name, value, state, "")


def take(gatherer: Gatherer, first: str) -> State:
    """Take the state of this process; ``first`` is the task that is called first."""
    taking = _Taking(gatherer, State(first=first))
    taking.settings()
    taking.top_level()
    taking.state.setups += taking.roots(setups.registered(), "what @kalelite.setup runs")
    return taking.state


def notes(
    state: State,
    gatherer: Gatherer,
    steps: Mapping[str, tuple[Any, Pickled]],
    repeated: Container[str],
) -> list[str]:
    """What of the script the steps do not find, and what they do not see of each other."""
    return [*state.notes, *shared(gatherer, steps, repeated)]


class _Taking:
    def __init__(self, gatherer: Gatherer, state: State) -> None:
        self._gatherer = gatherer
        self.state = state

    def roots(self, values: Iterable[Any], what: str) -> list[Pickled]:
        return [taken for value in values if (taken := self._gatherer.root(value, what, None))]

    def settings(self) -> None:
        """Settings of libraries that are not the defaults."""
        for setting, value in differing():
            taken = self._optional(value)
            if taken is not None:
                self.state.settings.append((setting.key, setting.module, taken))
            else:
                self.state.notes.append(
                    f"The settings of {setting.key} hold what cannot travel to the steps: set"
                    " them in a function under @kalelite.setup."
                )

    def top_level(self) -> None:
        """What the statements at the top have done, and the modules imported for their effect."""
        seeded: set[str] = set()
        for space in list(self._gatherer.world.spaces.values()):
            for file, tree in _sources(space.values):
                top = TopLevel(tree, space.values, self._is_local)
                seeded |= top.seeded
                self._changes(top, file)
                self._modules(top)
                self._subclasses(top)
                seeded |= self._effects(top)
            for name, value in list(space.values.items()):
                if (kind := generators.kind_of(value)) is not None:
                    self.state.objects.append((space.key, name, value, kind.read(value)))
        self._generators(seeded)

    def _is_local(self, name: str) -> bool:
        return self._gatherer.local.find(name) is not None

    def _optional(self, value: Any) -> Pickled | None:
        """Captured, or None if it cannot travel, which is no problem of its own."""
        before = len(self._gatherer.problems)
        taken = self._gatherer.root(value, "the state of the script", None)
        if len(self._gatherer.problems) == before:
            return taken
        del self._gatherer.problems[before:]
        return None

    def _changes(self, top: TopLevel, file: str) -> None:
        found: dict[str, Seen] = {}
        for seen in top.changes:
            kind, path = seen.change[:2]
            key = repr((seen.module, kind, path)) if kind not in {"call", "environ"} else ""
            found[key or f"{len(found)}"] = seen
        lost = list(top.lost)
        for seen in found.values():
            if seen.change[0] == "call" and seen.module in _ALL_READ:
                continue
            taken = self._optional(seen.change)
            if taken is not None:
                self.state.changes.append((seen.module, taken))
            elif seen.sure:
                lost.append(seen.node)
        for node in lost:
            self.state.notes.append(_lost(file, node))

    def _modules(self, top: TopLevel) -> None:
        """What modules of the project hold whose functions the top has called."""
        for name in self._gatherer.local.closure(top.touched):
            module = self._gatherer.local.find(name)
            if module is None:
                continue
            found = [("fill", path, content) for path, content in contents(module)]
            found += [("set", ((".", name),), value) for name, value in added(module).items()]
            for change in found:
                taken = self._optional(change)
                if taken is not None:
                    self.state.changes.append((name, taken))

    def _subclasses(self, top: TopLevel) -> None:
        """Load all subclasses that the script defines, where some code asks a class for its own."""
        trees = [top.tree, *(module.tree for module in self._gatherer.modules.values())]
        asked = any(
            isinstance(node, ast.Attribute) and node.attr == "__subclasses__"
            for tree in trees
            for node in nodes_of(tree)
        )
        for value in list(top.values.values()) if asked else ():
            if not isinstance(value, type) or value.__module__ != top.values.get("__name__"):
                continue
            homes = [base.__module__ for base in value.__bases__]
            trigger = next(filter(self._is_local, homes), "sys")
            taken = self._optional(("load", (), value))
            if taken is not None and value.__bases__ != (object,):
                self.state.changes.append((trigger, taken))

    def _effects(self, top: TopLevel) -> set[str]:
        """Find modules that are imported for their effect; the generators that local ones seed."""
        seeded: set[str] = set()
        local = self._gatherer.local
        direct = {place.module for place in top.names.values()} | set(top.unused)
        for name, module in local.closure(direct).items():
            live = sys.modules.get(name)
            if live is None:
                continue
            inner = TopLevel(module.tree, vars(live), self._is_local)
            seeded |= inner.seeded
            if inner.changes or inner.touched:
                self._gatherer.reach([name])
                self.state.imports.append(name)
        for name in top.unused:
            root = name.partition(".")[0]
            if name in sys.modules and root not in _NO_EFFECT and not local.find(name):
                self.state.imports.append(name)
        return seeded

    def _generators(self, seeded: set[str]) -> None:
        if not seeded:
            return
        loaded = generators.GENERATORS.keys() & sys.modules.keys()
        self.state.generators = generators.states(
            {name for name in loaded if name in seeded or "" in seeded}
        )


_ALL_READ = frozenset({"decimal", "locale", "multiprocessing", "warnings"})
"""Modules all of whose settings are read: what their functions have set is among these."""
_NO_EFFECT = sys.stdlib_module_names | {"kalelite"}


def _sources(values: Mapping[str, Any]) -> Iterator[tuple[str, ast.Module]]:
    """The file of a namespace, or the cells of a notebook, with their syntax."""
    file = values.get("__file__")
    if isinstance(file, str):
        tree = tree_of(file)
        if tree is not None:
            yield file, tree
        return
    cells: Sequence[Any] = values.get("In") or ()
    for number, text in enumerate(cells):
        try:
            yield f"In[{number}]", ast.parse(text)
        except (SyntaxError, ValueError, TypeError):
            continue


def _lost(file: str, node: ast.AST) -> str:
    line = getattr(node, "lineno", 1)
    text = linecache.getline(file, line).strip() or ast.unparse(node).splitlines()[0]
    return (
        f"{Where(file, line)}: the steps do not find what this does: {text}\n"
        "  Put it into a function under @kalelite.setup, which each step's process runs."
    )
