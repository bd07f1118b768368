"""The ``__main__`` of a bundle: checks that it can run here, and lends its modules to the import.

It has to say what is wrong to any Python 3, so it uses nothing that is younger than 3.6.
"""

import hashlib
import importlib
import json
import os
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Optional

# Modules that a user's module may import and that have no work to do in a pod.
STAND_INS = ("kalelite.plan", "kalelite.runs", "kalelite.backends", "kalelite.notebook")


class Bundle:
    """The bundle: its files by name, each checked, and an importer of the modules in it."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader
        self.path = os.path.abspath(loader.archive)  # noqa: PTH100 - pathlib costs 10 ms to import
        self.about = json.loads(loader.get_data("bundle.json").decode())
        self._sources = {}  # type: dict[str, str]

    def read(self, name: str) -> bytes:
        """The content of a file; ends the process if it is damaged."""
        expected = self.about["files"].get(name)
        if expected is None:
            raise FileNotFoundError("there is no {} in {}".format(name, self.path))  # noqa: UP032
        try:
            data = self._loader.get_data(name)  # type: bytes
        except Exception as error:  # noqa: BLE001 - zlib, zipimport and the file system raise here
            self._damaged(name, str(error))
        else:
            if hashlib.sha256(data).hexdigest() != expected:
                self._damaged(name, "its digest is another one")
            return data
        raise AssertionError

    def _damaged(self, name: str, why: str) -> None:
        sys.exit(
            "kalelite: the bundle {} is damaged: {}: {}\n"  # noqa: UP032 - for old Pythons
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
        self._sources = json.loads(self.read("runtime.json").decode())
        sys.meta_path.insert(0, self)

    # --- the importer ------------------------------------------------------------------------

    def find_spec(
        self,
        fullname: str,
        path: Any = None,  # noqa: ARG002 - the finder's protocol
        target: Any = None,  # noqa: ARG002 - the finder's protocol
    ) -> Optional[ModuleSpec]:  # noqa: UP045 - for old Pythons
        """The spec of a module of the bundle."""
        stem = fullname.replace(".", "/")
        for file in (stem + "/__init__.py", stem + ".py"):
            if file in self._sources:
                return self._spec(fullname, file)
        if any(fullname == name or fullname.startswith(name + ".") for name in STAND_INS):
            return self._spec(fullname, "kalelite/executor/standin.py")
        return None

    def _spec(self, fullname: str, file: str) -> ModuleSpec:
        package = file.endswith("/__init__.py")
        origin = os.path.join(self.path, *file.split("/"))  # noqa: PTH118 - as above
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
        source = self._sources[spec.loader_state]
        exec(compile(source, str(spec.origin), "exec", dont_inherit=True), module.__dict__)  # noqa: S102

    def get_source(self, fullname: str) -> Optional[str]:  # noqa: UP045 - for old Pythons
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
    return int(code)


if __name__ == "__main__":
    sys.exit(main(__loader__))  # type: ignore[name-defined]
