"""From roots to all that they reach: every captured global and local module, each taken once."""

from __future__ import annotations

import linecache
import sys
from collections.abc import Iterable
from types import CodeType, FunctionType, ModuleType
from typing import Any

from kalelite.capture import diagnostics
from kalelite.capture.load import Name
from kalelite.capture.local_modules import LocalModule, LocalModules, is_local_file
from kalelite.capture.module_overrides import changed
from kalelite.capture.namespaces import World
from kalelite.capture.pickled import Pickled, TooLargeError
from kalelite.capture.pickler import pickled
from kalelite.errors import Problem, Where, cell_name
from kalelite.frozen import frozen


@frozen
class Reached:
    """All that a root reaches, itself included.

    ``entries`` are by namespace and name, or by module and name for what the script has set in
    a local module; the root has no name.
    """

    entries: dict[Name, Pickled]
    modules: dict[str, LocalModule]


class Gatherer:
    """Pickles roots and follows the names that they reach. Problems are collected.

    ``entries`` are the globals reached so far, ``modules`` the local modules, and ``overrides`` the
    globals of those that were set from outside.
    """

    def __init__(self, limit: int) -> None:
        self.world = World()
        self.problems: list[Problem] = []
        self.entries: dict[Name, Pickled] = {}
        self.modules: dict[str, LocalModule] = {}
        self.overrides: dict[str, dict[str, Pickled]] = {}
        self.local = LocalModules()
        self._limit = limit
        self._failed: set[Name] = set()
        # Taken, or not, because a text may mean them.
        self._doubtful: set[Name] = set()
        self._left_out: set[Name] = set()

    def know(self, functions: Iterable[Any]) -> None:
        """Learn the namespaces of these functions first, and that of ``__main__``."""
        for function in functions:
            if isinstance(function, FunctionType):
                self.world.space(function.__globals__)
        if "__main__" not in self.world.spaces:
            self.world.space(vars(sys.modules["__main__"]))

    def root(self, value: Any, what: str, where: Where | None) -> Pickled | None:
        """Pickle a step function or a constant, and all the globals that it reaches.

        Returns None where there is a problem; ``what`` and ``where`` name the root in it.
        """
        found = self._pickled(value, frozenset(), what, where)
        if found is None:
            return None
        taken = [found]
        # Names come in the order in which the step uses them, and so do the problems.
        pending = list(reversed(found.edges.items()))
        while pending:
            name, code = pending.pop()
            entry = self.entries.get(name) if name in self._doubtful else None
            if (entry is None and name in self.entries) or name in self._failed:
                continue
            entry = entry or self._global(name, code, what, where, value)
            if entry is None:
                self._failed.add(name)
                continue
            self._doubtful.discard(name)
            self.entries[name] = entry
            taken.append(entry)
            pending.extend(reversed(entry.edges.items()))
        self._reach({name for entry in taken for name in entry.modules}, what, where)
        if any(entry.maybe for entry in taken):
            problems, self.problems = self.problems, []
            self._try(taken, what, where)
            self.problems = problems
        return found

    def _try(self, taken: list[Pickled], what: str, where: Where | None) -> None:
        """Take what these may look up by a text, with all that it needs, as far as it can travel."""
        pending = [item for entry in taken for item in entry.maybe.items()]
        modules: set[str] = set()
        while pending:
            name, code = pending.pop()
            if name in self.entries or name in self._failed or name in self._left_out:
                continue
            entry = self._global(name, code, what, where, None)
            if entry is None:
                self._left_out.add(name)
                continue
            self._doubtful.add(name)
            self.entries[name] = entry
            modules |= entry.modules
            pending.extend({**entry.edges, **entry.maybe}.items())
        self._reach(modules, what, where)
        while lacking := {
            name
            for name in self._doubtful
            if not self.entries.keys() >= self.entries[name].refs.keys()
        }:
            self._doubtful -= lacking
            self._left_out |= lacking
            for name in lacking:
                del self.entries[name]

    def _global(
        self, name: Name, code: CodeType | None, what: str, where: Where | None, root: Any
    ) -> Pickled | None:
        value = self.world.value(name)
        place = diagnostics.use(code, name[1]) if code else where
        group = frozenset({name})
        if value is root:  # what has a name travels under it
            entry = self._pickled({name: value}, group, what, place)
        else:
            title = f"the global {name[1]!r} that {what} uses"
            entry = self._pickled({name: value}, group, title, place, name)
        if entry is not None:
            kinds = {FunctionType: "function", ModuleType: "import"}
            entry.kind = "class" if isinstance(value, type) else kinds.get(type(value), "global")
        return entry

    def _pickled(
        self,
        value: Any,
        group: frozenset[Name],
        what: str,
        where: Where | None,
        name: Name | None = None,
    ) -> Pickled | None:
        try:
            return pickled(value, self.world, group=group, limit=self._limit)
        except Exception as error:
            subject = next(iter(value.values())) if group else value
            limit = self._limit if isinstance(error, TooLargeError) else None
            file = self.world.spaces[name[0]].values.get("__file__") if name else None
            named = name[1] if name else None
            self.problems.append(
                diagnostics.refusal(what, subject, where, error, name=named, file=file, limit=limit)
            )
            return None

    def reach(self, names: Iterable[str]) -> None:
        """Take the local modules among these, and all that they import."""
        self._reach(names, "the script", None)

    def _reach(self, names: Iterable[str], what: str, where: Where | None) -> None:
        """Take the local modules among these, and what was set in them from outside."""
        for name, module in self.local.closure(names).items():
            if name in self.modules:
                continue
            self.modules[name] = module
            if self.world.is_edited(name):
                taken = self.root(sys.modules[name], f"the module {name!r}", where)
                self.overrides[name] = {"": taken} if taken else {}
                continue
            overrides = self.overrides[name] = {}
            if module.text is None:
                self.problems.append(diagnostics.no_source(name, module.file, what, where))
            for attribute, value in changed(module).items():
                title = (
                    f"the global {attribute!r} of module {name!r}, which was set from outside it,"
                )
                taken = self.root(value, title, where)
                if taken is not None:
                    overrides[attribute] = taken

    def sources(self, root: Pickled) -> dict[str, str]:
        """The text of the source files, and notebook cells, of all code that the root reaches."""
        entries = self.reached(root).entries.values()
        files = sorted({file for item in entries for file in item.files if _is_source(file)})
        texts = ((cell_name(file), "".join(linecache.getlines(file))) for file in files)
        return {file: text for file, text in texts if text}

    def reached(self, root: Pickled) -> Reached:
        """What the root reaches of all that was gathered."""
        entries: dict[Name, Pickled] = {}
        modules: dict[str, LocalModule] = {}
        pending: list[tuple[Name, Pickled]] = [(("", ""), root)]
        while pending:
            name, item = pending.pop()
            if name in entries:
                continue
            entries[name] = item
            pending.extend(
                (edge, self.entries[edge])
                for edge in {**item.edges, **item.maybe}
                if edge in self.entries
            )
            for module in self.local.closure(item.modules - modules.keys()):
                if module not in modules:
                    modules[module] = self.modules[module]
                    overrides = self.overrides[module].items()
                    pending.extend(((module, attribute), taken) for attribute, taken in overrides)
        return Reached(entries, modules)


def _is_source(file: str) -> bool:
    return file.startswith("<") or is_local_file(file)
