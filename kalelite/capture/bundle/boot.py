"""The ``__main__`` of a bundle: checks that it can run here, and lends its modules to the import.

Its messages are for any Python 3, so it uses nothing that is younger than 3.6.
"""

import contextlib
import hashlib
import importlib
import json
import marshal
import os
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Optional

# Modules that a user's module may import and that have no work to do in a pod.
STAND_INS = ("kalelite.authoring", "kalelite.plan", "kalelite.runs", "kalelite.backends")


class Bundle:
    """The bundle: its files by name, each checked, and an importer of the modules in it."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader
        self.path = os.path.abspath(loader.archive)
        self.about = json.loads(loader.get_data("bundle.json").decode())
        self._sources = {}  # type: dict[str, str]
        self._compiled = {}  # type: dict[str, bytes]
        self._known = 0

    def read(self, name: str) -> bytes:
        """The content of a file; ends the process if it is damaged."""
        expected = self.about["files"].get(name)
        if expected is None:
            raise FileNotFoundError("there is no {} in {}".format(name, self.path))
        try:
            data = self._loader.get_data(name)  # type: bytes
        except Exception as error:
            self._damaged(name, str(error))
        else:
            if hashlib.sha256(data).hexdigest() != expected:
                self._damaged(name, "its digest is another one")
            return data
        raise AssertionError

    def _damaged(self, name: str, why: str) -> None:
        sys.exit(
            "kalelite: the bundle {} is damaged: {}: {}\n"
            "  compile the pipeline again, or copy the bundle again".format(self.path, name, why)
        )

    def check_python(self) -> None:
        """End the process if this Python cannot read the bytecode in the bundle."""
        here = "{}.{}".format(*sys.version_info[:2])
        if here != self.about["python"]:
            sys.exit(
                "kalelite: the steps were captured with Python {0}, and this image has Python {1}\n"
                "  use an image with Python {0}, or submit from Python {1}".format(
                    self.about["python"], here
                )
            )

    def install(self) -> None:
        """Let the modules of the bundle be imported, before any that the image has."""
        try:
            import bz2  # a Python may be built without it
        except ImportError:
            sys.exit(
                "kalelite: the Python of this image has no module bz2, which unpacks the steps\n"
                "  use another image: those of python.org and of conda have it"
            )
        index, _, text = bz2.decompress(self.read("runtime.bz2")).decode().partition("\n")
        end = 0
        for name, length in json.loads(index):
            self._sources[name] = text[end : end + length]
            end += length
        self._load_compiled()
        sys.meta_path.insert(0, self)

    # --- compiled modules: half of the start of a step is compiling -------------------------

    def _cache_file(self) -> str:
        return "{}.{}".format(self.path, sys.implementation.cache_tag)

    def _seal(self, data: bytes) -> bytes:
        """The digest of compiled modules, and of what they were made of and with."""
        made_of = [self.about["files"]["runtime.bz2"], self.path, sys.version]
        return hashlib.sha256(json.dumps(made_of).encode() + data).digest()

    def _load_compiled(self) -> None:
        """Take what an earlier step has left beside the bundle, if it is whole and of this one."""
        try:
            with open(self._cache_file(), "rb") as file:
                data = file.read()
        except OSError:
            return
        if data[:32] == self._seal(data[32:]):
            self._compiled = marshal.loads(data[32:])
            self._known = len(self._compiled)

    def save_compiled(self) -> None:
        """Leave compiled modules to the steps that follow, where that is possible and wanted."""
        if sys.dont_write_bytecode or len(self._compiled) == self._known:
            return
        data = marshal.dumps(self._compiled)
        part = "{}.{}.part".format(self._cache_file(), os.urandom(6).hex())
        try:
            with open(part, "wb") as file:
                file.write(self._seal(data) + data)
            os.replace(part, self._cache_file())
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(part)

    # --- the importer ------------------------------------------------------------------------

    def find_spec(
        self,
        fullname: str,
        path: Any = None,
        target: Any = None,
    ) -> Optional[ModuleSpec]:
        """The spec of a module of the bundle."""
        stem = fullname.replace(".", "/")
        for file in (stem + "/__init__.py", stem + ".py"):
            if file in self._sources:
                return self._spec(fullname, file)
        if any(fullname == name or fullname.startswith(name + ".") for name in STAND_INS):
            return self._spec(fullname, "kalelite/capture/bundle/stubs.py")
        return None

    def _spec(self, fullname: str, file: str) -> ModuleSpec:
        # A stand-in may be in the place of a package, too.
        package = file.endswith(("/__init__.py", "/stubs.py"))
        origin = os.path.join(self.path, *file.split("/"))
        spec = ModuleSpec(fullname, self, origin=origin, is_package=package)  # type: ignore[arg-type]
        spec.loader_state = file
        spec.has_location = True
        return spec

    def create_module(self, spec: ModuleSpec) -> None:
        """The usual module."""

    def exec_module(self, module: ModuleType) -> None:
        """Run a module's source."""
        spec = module.__spec__
        assert spec is not None
        name = spec.loader_state
        if name not in self._compiled:
            code = compile(self._sources[name], str(spec.origin), "exec", dont_inherit=True)
            self._compiled[name] = marshal.dumps(code)
        exec(marshal.loads(self._compiled[name]), module.__dict__)

    def get_source(self, fullname: str) -> Optional[str]:
        """The source of a module, for tracebacks."""
        spec = self.find_spec(fullname)
        return None if spec is None else self._sources[spec.loader_state]


def main(loader: Any) -> int:
    """Run the bundle's entry with the arguments of this process; its exit code."""
    bundle = Bundle(loader)
    bundle.check_python()
    bundle.install()
    module, _, name = bundle.about["entry"].partition(":")
    code = getattr(importlib.import_module(module), name)(sys.argv[1:], bundle.read)
    bundle.save_compiled()
    return int(code)


if __name__ == "__main__":
    sys.exit(main(__loader__))  # type: ignore[name-defined]
