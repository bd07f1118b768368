"""The user's script: read it, and run it as ``__main__`` the way Python would."""

from __future__ import annotations

import builtins
import errno
import gc
import importlib
import io
import linecache
import os
import stat
import sys
import tokenize
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, PathFinder
from types import CodeType, ModuleType

from kalelite.errors import ScriptError, UsageError, Where
from kalelite.frozen import frozen
from kalelite.source.locations import of_syntax_error


@frozen
class ScriptExit:
    """How the script ended: ``code`` as for `sys.exit`, None if it ran to its end."""

    code: object = None
    where: Where | None = None

    @property
    def ok(self) -> bool:
        """Whether the script meant that all is well."""
        return self.code is None or self.code == 0

    @property
    def status(self) -> int:
        """The exit code that Python would leave with."""
        if self.code is None:
            return 0
        return self.code & 0xFF if isinstance(self.code, int) else 1


@frozen
class Script:
    """A script that was read and compiled.

    ``name`` is how the user called it, ``spec`` what was found for a module.
    """

    name: str
    path: str
    text: str
    code: CodeType
    spec: ModuleSpec | None = None

    def dotted_name(self) -> str:
        """The name of the file as a module of the working directory; empty if it is none."""
        here, _, suffix = os.path.relpath(self.path).rpartition(".")
        parts = here.removesuffix(f"{os.sep}__main__").split(os.sep)
        return ".".join(parts) if suffix == "py" and all(map(str.isidentifier, parts)) else ""

    @contextmanager
    def as_main(self, arguments: Sequence[str]) -> Iterator[ModuleType]:
        """Be the interpreter that runs it: ``__main__``, ``sys.argv`` and ``sys.path[0]``.

        What was there before is put back, so that the caller may be a test, a notebook or the
        command itself.
        """
        from importlib.machinery import SourceFileLoader

        # What is ours is not looked through again, now or at the end; what is the script's is.
        gc.freeze()
        module = ModuleType("__main__")
        module.__dict__.update(
            __file__=self.path,
            __builtins__=builtins,
            __cached__=None,
            __loader__=SourceFileLoader("__main__", self.path),
            __package__=self.spec.parent if self.spec else None,
            __spec__=self.spec,
        )
        before = sys.modules.get("__main__"), sys.argv, sys.path, list(sys.path)
        sys.path[:] = self.import_path()
        sys.modules["__main__"] = module
        sys.argv = [self.name, *arguments]
        # As it was read: the script may change or delete its file, and errors show these lines.
        lines = io.StringIO(self.text, newline=None).readlines()
        linecache.cache[self.path] = (len(self.text), None, lines, self.path)
        try:
            yield module
        finally:
            if before[0] is not None:
                sys.modules["__main__"] = before[0]
            linecache.cache.pop(self.path, None)
            sys.argv, sys.path = before[1:3]
            sys.path[:] = before[3]

    def import_path(self) -> list[str]:
        """``sys.path`` with the script's folder first, as Python has it for ``python script.py``."""
        folder = os.getcwd() if self.spec else os.path.dirname(os.path.realpath(self.path))
        return path_from(folder)

    def execute(self, module: ModuleType) -> ScriptExit:
        """Run the script's code in `module`.

        Whatever the script raises comes through, but for SystemExit, which is reported.
        """
        gc.enable()
        try:
            if self.spec and self.spec.parent:
                importlib.import_module(self.spec.parent)
            exec(self.code, module.__dict__)
        except SystemExit as error:
            return ScriptExit(error.code, last_place(error, self.holds))
        return ScriptExit()

    def holds(self, file: str) -> bool:
        """Whether a place is in the script."""
        return file == self.path

    def hint(self, error: BaseException) -> str:
        """What to do about an error of the script's own."""
        module = self.dotted_name()
        if isinstance(error, ImportError) and "relative import" in str(error) and module:
            return f"A script has no package; as a module it has one: kalelite -m {module}"
        return ""


def read_script(name: str | None, module: str | None = None) -> Script:
    """Read and compile the file `name`, or that of a module.

    Raises `UsageError`: there is no name, or a module besides; `ScriptError`: it is missing,
    unreadable, not text, or not Python; the error points at the line.
    """
    spec = None
    if module:
        if name:
            raise UsageError(
                f"a script and a module were given: {name} and -m {module}",
                hint=f"What the module itself should see goes after --: -m {module} -- {name}",
            )
        spec = _find_module(module)
        name = spec.origin
    if not name:
        raise UsageError(
            "no script was given", hint="kalelite SCRIPT runs one; kalelite --help shows more."
        )
    if name == "-":
        raise ScriptError(
            "a pipeline cannot be read from standard input",
            hint="Its steps need a file: save it and give the file's name.",
        )
    path = os.path.abspath(name)
    source = _read(name, path)
    if b"\0" in source:
        line = source[: source.index(b"\0")].count(b"\n") + 1
        raise ScriptError(
            f"{name} has NUL bytes, so it is not Python source",
            hint="Is it a compiled file, or text in UTF-16? Save it as UTF-8.",
            where=Where(path, line),
        )
    text = _decode(name, path, source)
    try:
        code = compile(source, path, "exec", dont_inherit=True)
    except SyntaxError as error:
        where = of_syntax_error(error, path, text)
        raise ScriptError(f"{type(error).__name__}: {error.msg}", where=where) from error
    except (RecursionError, MemoryError) as error:
        raise ScriptError(f"{name} is nested too deeply to be compiled") from error
    return Script(name, path, text, code, spec)


def _find_module(name: str) -> ModuleSpec:
    """Where ``python -m`` would find a module; nothing is imported."""
    path: list[str] | None = [os.getcwd(), *sys.path]
    found: ModuleSpec | None = None
    for end, _ in enumerate(parts := name.split("."), 1):
        found = PathFinder.find_spec(".".join(parts[:end]), path) if path else None
        path = found.submodule_search_locations if found is not None else None
    if found is not None and found.submodule_search_locations is not None:
        found = PathFinder.find_spec(f"{name}.__main__", found.submodule_search_locations)
    if found is None or not (found.origin or "").endswith(".py"):
        hint = ""
        if os.path.isfile(name):
            hint = f"It is a file: kalelite {name}"
        raise ScriptError(f"there is no module {name} that could be run", hint=hint)
    return found


def _read(name: str, path: str) -> bytes:
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            raise ScriptError(f"{name} is a folder, not a script", hint=_inside(path))
        if not stat.S_ISREG(mode):
            raise ScriptError(
                f"{name} is not a regular file",
                hint="Its steps may have to read it again: save it and give the file's name.",
            )
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        raise ScriptError(f"there is no file {name}", hint=_near(path)) from None
    except PermissionError:
        raise ScriptError(
            f"{name} may not be read", hint=f"Give yourself the right: chmod u+r {name}"
        ) from None
    except ValueError:
        raise ScriptError(f"{name!r} cannot be the name of a file") from None
    except OSError as error:
        loop = error.errno == errno.ELOOP
        reason = "its symbolic links go in a circle" if loop else (error.strerror or str(error))
        raise ScriptError(f"{name} cannot be read: {reason}") from None


def _inside(folder: str) -> str:
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(".py"))
    except OSError:
        return "Give the file's name."
    if not names:
        return "It holds no Python files."
    shown = ", ".join(os.path.join(folder, name) for name in names[:3])
    return f"Give one of its files, such as {os.path.relpath(shown)}."


def _near(path: str) -> str:
    import difflib

    folder, name = os.path.split(path)
    try:
        names = [entry for entry in os.listdir(folder) if entry.endswith(".py")]
    except OSError:
        return f"The folder {folder} does not exist either."
    close = difflib.get_close_matches(name, names, 1) or [n for n in names if n == f"{name}.py"]
    if close:
        return f"Did you mean {os.path.relpath(os.path.join(folder, close[0]))}?"
    return ""


def _decode(name: str, path: str, source: bytes) -> str:
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
    except SyntaxError as error:
        if "unknown encoding" in str(error):
            raise ScriptError(f"{name}: {error.msg}", where=Where(path, 1)) from error
        encoding = "utf-8"
    try:
        return source.decode(encoding)
    except UnicodeDecodeError as error:
        line = source[: error.start].count(b"\n") + 1
        raise _not_text(name, path, source, line, encoding) from error


def _not_text(name: str, path: str, source: bytes, line: int, encoding: str) -> ScriptError:
    text = source.splitlines()[line - 1].decode("utf-8", "replace") if source else ""
    column = text.find("\N{REPLACEMENT CHARACTER}")
    return ScriptError(
        f"{name} is not text in {encoding}",
        hint="Save it as UTF-8, or name its encoding in the first line: # -*- coding: latin-1 -*-",
        where=Where(path, line, max(column, 0), max(column, 0) + 1, text),
    )


def path_from(folder: str) -> list[str]:
    """``sys.path`` with a folder first, in the place of the one that this command has there.

    The current folder is last: a script in a folder of a project may import from the project.
    """
    if getattr(sys.flags, "safe_path", False):
        return list(sys.path)
    here = os.getcwd()
    command = sys.argv[0] if sys.argv else ""
    start = os.path.dirname(os.path.realpath(command))
    ours = {"", os.getcwd(), start, command}
    rest = sys.path[1:] if sys.path and sys.path[0] in ours else sys.path
    return [folder, *rest, *([here] if here not in {folder, *rest} else [])]


def last_place(error: BaseException, holds: Callable[[str], bool]) -> Where | None:
    """The innermost place of an exception's traceback that is in the user's program."""
    place = None
    trace = error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if holds(file):
            place = Where(file, trace.tb_lineno, text=linecache.getline(file, trace.tb_lineno))
        trace = trace.tb_next
    return place
