"""Local modules, made of captured source; their data files are read from where they lay.

This module travels with the steps. It imports the standard library only.
"""

from __future__ import annotations

import importlib.machinery
import linecache
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any


def remember_source(file: str, text: str) -> None:
    # Without a modification time linecache never drops an entry because the file is not there.
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)


class SourceLoader:
    """Loads a local module from captured source."""

    def __init__(
        self,
        file: str,
        text: Callable[[], str],
        package: bool,
        settings: Callable[[], Mapping[str, Any]],
    ) -> None:
        self._settings = settings
        self.path = file
        self._text = text
        self._package = package

    def is_package(self, fullname: str) -> bool:
        return self._package

    def get_source(self, fullname: str) -> str:
        return self._text()

    def get_data(self, path: str) -> bytes:
        return Path(path).read_bytes()

    def get_resource_reader(self, fullname: str) -> Any:
        from importlib.readers import FileReader

        return FileReader(self)  # type: ignore[arg-type]

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> None:
        """The usual module."""

    def get_filename(self, fullname: str) -> str:
        return self.path

    def exec_module(self, module: ModuleType) -> None:
        text = self._text()
        remember_source(self.path, text)
        exec(compile(text, self.path, "exec", dont_inherit=True), module.__dict__)
        module.__dict__.update(self._settings())
