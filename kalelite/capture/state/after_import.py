"""Functions that run when a module has been imported: nothing is imported for their sake.

This module travels with the steps. It imports the standard library only.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


class _Loader:
    """A module's own loader, and what follows once it is done."""

    def __init__(self, loader: Any, follow: Callable[[ModuleType], None]) -> None:
        self._loader = loader
        self._follow = follow

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        assert module.__spec__ is not None
        # The module sees the loader that it would have without this one.
        module.__spec__.loader = module.__loader__ = self._loader
        self._loader.exec_module(module)
        self._follow(module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)


class AfterImport:
    """A finder that lets functions follow the import of modules."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[Callable[[], object]]] = {}

    def add(self, module: str, function: Callable[[], object]) -> None:
        """Call a function now if the module is imported, else when it has been."""
        if module in sys.modules:
            function()
            return
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)
        self._waiting.setdefault(module, []).append(function)
        # A package may import its module before it is ready itself.
        self._waiting.setdefault(module.partition(".")[0], [])

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """What another finder finds, for a module that is waited for."""
        if fullname not in self._waiting:
            return None
        for finder in sys.meta_path:
            if finder is self:
                continue
            spec = finder.find_spec(fullname, path, target)
            if spec is not None:
                if hasattr(spec.loader, "exec_module"):
                    spec.loader = _Loader(spec.loader, self._follow)  # type: ignore[assignment]
                return spec
        return None

    def _follow(self, module: ModuleType) -> None:
        functions = self._waiting.pop(module.__name__, [])
        root = module.__name__.partition(".")[0]
        spec = getattr(sys.modules.get(root), "__spec__", None)
        if root != module.__name__ and getattr(spec, "_initializing", False):
            self._waiting.setdefault(root, []).extend(functions)
            return
        for function in functions:
            function()
