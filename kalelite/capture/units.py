"""From roots to all that they reach: every captured global, pickled once, in loadable units.

Each global is a unit of its own, so that a step loads what it uses and nothing else. Globals that
hold the same mutable object, or that refer to each other in a cycle, share a unit: they come back
holding the same object again.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any

from kalelite.capture import diagnostics as limits
from kalelite.capture import local_modules as modules
from kalelite.capture.load import Name
from kalelite.capture.module_overrides import changed
from kalelite.capture.namespaces import World
from kalelite.capture.pickler import Pickled, TooLargeError, pickled
from kalelite.capture.rebuild import plain
from kalelite.errors import Problem, Where

__all__ = ["Gatherer", "Unit"]


@dataclass(frozen=True, slots=True)
class Unit:
    """Globals that are loaded together."""

    key: str
    names: tuple[Name, ...]
    data: bytes
    needs: tuple[Name, ...]

    @property
    def title(self) -> str:
        """The globals' names, for a person."""
        return ", ".join(name for _, name in self.names)


class Gatherer:
    """Pickles roots and follows the names that they reach. Problems are collected."""

    def __init__(self, limit: int) -> None:
        self.world = World()
        self.problems: list[Problem] = []
        self.settings: dict[str, dict[str, Pickled]] = {}
        self._limit = limit
        self._entries: dict[Name, Pickled] = {}
        self._failed: set[Name] = set()
        self._units: list[Unit] | None = None

    def know(self, functions: Iterable[Any]) -> None:
        """Learn the namespaces of these functions first, and that of ``__main__``."""
        for function in functions:
            if isinstance(function, FunctionType):
                self.world.space(function.__globals__)
        if "__main__" not in self.world.spaces:
            self.world.space(vars(sys.modules["__main__"]))

    def root(self, value: Any, what: str, where: Where | None) -> Pickled | None:
        """Pickle a step function or a constant, and all the globals that it reaches."""
        try:
            taken = pickled(value, self.world, limit=self._limit)
        except TooLargeError:
            self._too_large(what, value, where)
            return None
        except Exception as error:  # noqa: BLE001 - a user's reduction may raise anything
            self._impossible(what, value, error, where)
            return None
        # Names come in the order in which the step uses them, and so do the problems.
        pending = [(name, code) for name, code in reversed(self._edges(taken))]
        while pending:
            name, code = pending.pop()
            if name not in self._entries and name not in self._failed:
                entry = self._discover(name, code, what, where, value)
                if entry is not None:
                    pending.extend(reversed(self._edges(entry)))
        self._check_modules(what, where)
        self._gather_settings(where)
        return taken

    @staticmethod
    def _edges(taken: Pickled) -> list[tuple[Name, CodeType | None]]:
        edges: list[tuple[Name, CodeType | None]] = [(name, None) for name in taken.refs]
        edges.extend(taken.needs.items())
        return edges

    def _discover(
        self, name: Name, code: CodeType | None, what: str, where: Where | None, root: Any
    ) -> Pickled | None:
        value = plain(self.world.spaces[name[0]].values[name[1]])
        place = limits.use(code, name[1]) if code else where
        if value is root:  # what has a name travels under it
            title, of = what, None
        else:
            title, of = f"the global {name[1]!r} that {what} uses", name
        try:
            entry = pickled({name: value}, self.world, group=frozenset({name}), limit=self._limit)
        except TooLargeError:
            self._too_large(title, value, place, of)
        except Exception as error:  # noqa: BLE001 - a user's reduction may raise anything
            self._impossible(title, value, error, place, of)
        else:
            self._entries[name] = entry
            self._units = None
            return entry
        self._failed.add(name)
        return None

    # --- refusals ----------------------------------------------------------------------------

    def _bound(self, name: Name | None) -> str:
        """Where the global gets its value, if its source tells."""
        file = self.world.spaces[name[0]].values.get("__file__") if name else None
        line = limits.assignment(file, name[1]) if name and isinstance(file, str) else None
        return f" ({name[1]} is assigned on line {line})" if name and line else ""

    def _too_large(
        self, what: str, value: Any, where: Where | None, name: Name | None = None
    ) -> None:
        size = limits.readable_size(self._limit)
        self.problems.append(
            Problem(
                f"{what} is too large to travel with the code: it is {limits.describe(value)}, "
                f"and the limit is {size}{self._bound(name)}",
                "load it inside the step, or let a step return it and pass it as an argument",
                where,
            )
        )

    def _impossible(
        self,
        what: str,
        value: Any,
        error: BaseException,
        where: Where | None,
        name: Name | None = None,
    ) -> None:
        text = limits.reason(name[1] if name else "it", value, error)
        self.problems.append(
            Problem(
                f"{what} cannot travel to a step: {text}{self._bound(name)}",
                "make it inside the step, or pass it on as something that can be copied",
                where,
            )
        )

    def _check_modules(self, what: str, where: Where | None) -> None:
        """A local module without source cannot travel."""
        for name, module in modules.closure(self.world.modules).items():
            if module.text is None and ("", name) not in self._failed:
                self._failed.add(("", name))
                self.problems.append(
                    Problem(
                        f"the local module {name!r} that {what} uses cannot travel: "
                        f"{module.file} is not Python source",
                        "install it where the step runs, as a package",
                        where,
                    )
                )

    def _gather_settings(self, where: Where | None) -> None:
        """What was set in the reached local modules from outside."""
        for name, module in modules.closure(self.world.modules).items():
            if name in self.settings:
                continue
            self.settings[name] = {}
            for attribute, value in changed(module).items():
                what = (
                    f"the global {attribute!r} of module {name!r}, which was set from outside it,"
                )
                taken = self.root(value, what, where)
                if taken is not None:
                    self.settings[name][attribute] = taken

    # --- units -------------------------------------------------------------------------------

    def units(self) -> list[Unit]:
        """All that was reached, grouped."""
        if self._units is None:
            self._units = [self._unit(names) for names in _groups(self._entries)]
        return self._units

    def _unit(self, names: tuple[Name, ...]) -> Unit:
        entry = self._entries[names[0]]
        if len(names) > 1:
            values = {name: plain(self.world.spaces[name[0]].values[name[1]]) for name in names}
            entry = pickled(values, self.world, group=frozenset(names))
        key = "+".join(f"{space}:{name}" for space, name in names)
        return Unit(key, names, entry.data, tuple(entry.needs))

    def files(self, root: Pickled) -> set[str]:
        """The source files of all code that the root reaches by value."""
        files = set(root.files)
        pending = [name for name, _ in self._edges(root)]
        seen: set[Name] = set()
        while pending:
            name = pending.pop()
            entry = self._entries.get(name)
            if name not in seen and entry is not None:
                seen.add(name)
                files |= entry.files
                pending.extend(other for other, _ in self._edges(entry))
        return files


def _groups(entries: dict[Name, Pickled]) -> Iterator[tuple[Name, ...]]:
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
            other = holders.setdefault(id(item), name)
            parent[find(other)] = find(name)
    for names in _cycles({name: tuple(entry.refs) for name, entry in entries.items()}):
        for name in names[1:]:
            parent[find(name)] = find(names[0])
    groups: dict[Name, list[Name]] = {}
    for name in sorted(entries):
        groups.setdefault(find(name), []).append(name)
    for names in groups.values():
        yield tuple(names)


def _cycles(  # noqa: C901 - one algorithm, which reads worse in pieces
    refs: dict[Name, tuple[Name, ...]],
) -> Iterator[list[Name]]:
    """The strongly connected components with more than one member (Tarjan, without recursion)."""
    number: dict[Name, int] = {}
    low: dict[Name, int] = {}
    open_: list[Name] = []
    on_stack: set[Name] = set()
    for start, first in refs.items():
        if start in number:
            continue
        work = [(start, iter(first))]
        number[start] = low[start] = len(number)
        open_.append(start)
        on_stack.add(start)
        while work:
            name, below = work[-1]
            for other in below:
                if other not in refs:
                    continue
                if other not in number:
                    number[other] = low[other] = len(number)
                    open_.append(other)
                    on_stack.add(other)
                    work.append((other, iter(refs[other])))
                    break
                if other in on_stack:
                    low[name] = min(low[name], number[other])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[name])
                if low[name] == number[name]:
                    component: list[Name] = []
                    while not component or component[-1] != name:
                        component.append(open_.pop())
                        on_stack.discard(component[-1])
                    if len(component) > 1:
                        yield component
