"""A small program that travels as an argument: for steps that run before there is any code.

    ["python3", "-c", BOOT, "<base64 of the zlib of the source>", "--flag", "value"]

Nothing of it passes through a shell, and base64 holds no brace, so neither a shell nor Argo can
read anything into it.
"""

from __future__ import annotations

import base64
import inspect
import re
import zlib
from types import ModuleType

__all__ = ["inline", "source_of"]

BOOT = "import base64,sys,zlib;exec(zlib.decompress(base64.b64decode(sys.argv.pop(1))))"


def inline(program: ModuleType) -> list[str]:
    """The command that runs a module's source; the program's own arguments follow it."""
    packed = zlib.compress(source_of(program).encode("utf-8"), 9)
    return ["python3", "-c", BOOT, base64.b64encode(packed).decode("ascii")]


def source_of(program: ModuleType) -> str:
    """The module's source without docstrings, comments on lines of their own and blank lines."""
    text = inspect.getsource(program)
    text = re.sub(r'^[ \t]*"""(?:.|\n)*?"""[ \t]*\n', "", text, flags=re.MULTILINE)
    return re.sub(r"^[ \t]*(?:#.*)?\n", "", text, flags=re.MULTILINE)
