"""The bundle: captured steps and the part of kalelite that runs them, as one zip application.

``python3 bundle.pyz …`` runs a step where nothing but Python is installed. The same code gives the
same bytes.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import io
import json
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

from kalelite.capture.bundle.runtime_sources import ENTRY, boot_source, packed_runtime
from kalelite.capture.code import Code
from kalelite.capture.data_files import data_files
from kalelite.capture.diagnostics import readable_size

_RUNTIME = "runtime.bz2"
_EPOCH = (1980, 1, 1, 0, 0, 0)


def bundle(
    code: Code,
    files: Mapping[str, bytes] | None = None,
    *,
    entry: str = ENTRY,
    modules: tuple[str, ...] = (),
) -> bytes:
    """Pack captured code into a zip application.

    Parameters
    ----------
    code
        The captured steps; their files are found under ``code/`` in the bundle.
    files
        More files, by path.
    entry
        ``module:function`` to call with the arguments and a function that reads a file of the
        bundle by its path; the function returns the exit code.
    modules
        More modules of kalelite, which the entry does not import, or only for some pipelines.

    Returns
    -------
    bytes
        The content of a ``.pyz`` file.
    """
    code.data = data_files(code.reached(), getattr(sys.modules["__main__"], "__file__", None))
    packed = {f"code/{name}": data for name, data in code.files().items()}
    packed.update(files or {})
    names = (*code.steps, *code.constants)
    libraries = any(code.fingerprint(name).libraries for name in names)
    entries = (entry.partition(":")[0], *modules)
    packed[_RUNTIME] = packed_runtime(entries, libraries=libraries)
    packed["LICENSE-cloudpickle"] = _license("cloudpickle")
    about = {
        "format": 1,
        "python": f"{sys.version_info[0]}.{sys.version_info[1]}",
        "entry": entry,
        "files": {name: hashlib.sha256(data).hexdigest() for name, data in packed.items()},
    }
    packed["bundle.json"] = json.dumps(about, sort_keys=True, separators=(",", ":")).encode()
    packed["__main__.py"] = boot_source()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(packed):
            entry_info = zipfile.ZipInfo(name, _EPOCH)
            entry_info.create_system = 3
            entry_info.external_attr = 0o100644 << 16
            how = zipfile.ZIP_STORED if name == _RUNTIME else zipfile.ZIP_DEFLATED
            archive.writestr(entry_info, packed[name], how, compresslevel=9)
    return out.getvalue()


def contents(code: Code, data: bytes, *, count: int = 10) -> list[str]:
    """What makes a bundle large: one line for each of its largest parts."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        own = sum(
            archive.getinfo(name).compress_size
            for name in (_RUNTIME, "__main__.py", "LICENSE-cloudpickle")
        )
    rows = [(title, size) for title, size in code.sizes() if size]
    lines = [f"{title}: {readable_size(size)} before compression" for title, size in rows[:count]]
    return [*lines, f"kalelite itself: {readable_size(own)} compressed"]


@functools.cache
def _license(package: str) -> bytes:
    """The licence text of a package that travels along."""
    for file in importlib.metadata.files(package) or ():
        if file.name.upper().startswith("LICENSE"):
            return Path(str(file.locate())).read_bytes()
    return importlib.metadata.metadata(package)["License"].encode()
