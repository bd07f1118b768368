"""Digests of code: the same for the same behaviour, another for any change of it.

A fingerprint covers the function's code with its defaults and closure and, through the names it
uses, every helper, class, constant and local module that it reaches, at any depth. It does not
cover line numbers, file names, comments or docstrings. Installed packages count by name. It is the
same in every process, on every machine and for every ``PYTHONHASHSEED``; another minor version of
Python, which has another bytecode, gives another one.
"""

from __future__ import annotations

import ast
import sys
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any

from kalelite.capture import leaf_digests as atoms
from kalelite.capture import local_modules as modules
from kalelite.capture.namespaces import importable
from kalelite.capture.operations import operations
from kalelite.capture.rebuild import plain
from kalelite.capture.references import codes, global_names, imports, is_class, resolve_import

__all__ = ["fingerprint", "libraries"]

_CLASS_NOISE = frozenset(
    {
        "__dict__",
        "__weakref__",
        "__doc__",
        "__module__",
        "__firstlineno__",
        "__static_attributes__",
        "__annotate__",
        "__annotate_func__",
        "__annotations_cache__",
        "__abstractmethods__",
        "_abc_impl",
        "__match_args__",
    }
)
Key = tuple[str, str, str]
_FLAGS = ~0x4000000  # CO_HAS_DOCSTRING, Python 3.13


def fingerprint(value: Any) -> str:
    """The digest of a function, or of any other value, and of all that it reaches.

    Returns
    -------
    str
        32 hexadecimal digits.

    Raises
    ------
    Exception
        whatever reducing a captured object raises, if it can neither be hashed nor pickled.
    """
    return _walked(value)[0]


def libraries(value: Any) -> frozenset[str]:
    """The installed packages that a function, or any other value, reaches, by their first name.

    They count by name in the fingerprint: another version of one does not change it.
    """
    found = {name.partition(".")[0] for name in _walked(value)[1]}
    # What begins with an underscore belongs to another package, which is reached as well.
    packages = {name for name in found if not name.startswith("_")}
    return frozenset(packages - sys.stdlib_module_names - {"cloudpickle", "kalelite"})


def _walked(value: Any) -> tuple[str, set[str]]:
    limit = sys.getrecursionlimit()
    # Values that pickle can take are nested less deeply than this.
    sys.setrecursionlimit(max(limit, 8000))
    try:
        walk = _Walk()
        return walk.finish(walk.digest(plain(value))), walk.installed
    finally:
        sys.setrecursionlimit(limit)


class _Walk:
    """One fingerprint in the making.

    Functions, classes and globals that have a name are put on a list and hashed once each, and
    wherever they turn up only their name counts; so cycles through names need no care. Cycles
    within a value are cut where they close, by the distance to the ancestor.
    """

    def __init__(self) -> None:
        self.installed: set[str] = set()
        self._named: dict[Key, bytes] = {}
        self._owners: dict[Key, int] = {}
        self._pending: list[tuple[Key, Any]] = []
        self._stack: dict[int, int] = {}
        self._done: dict[int, bytes] = {}
        self._alive: list[Any] = []
        # The depth of the shallowest ancestor that the value in hand closes a cycle with.
        self._closes = sys.maxsize

    def finish(self, root: bytes) -> str:
        """Hash all that is on the list, and sum up."""
        while self._pending:
            key, value = self._pending.pop()
            if key[0] == "module":
                self._named[key] = self._skeleton(key[1])
            elif key[0] == "global":
                self._named[key] = self.digest(value)
            else:
                self._named[key] = self._inner(value)
        parts = [atoms.text(*key) + digest for key, digest in sorted(self._named.items())]
        return atoms.hashed(root, *parts).hex()

    def _name(self, key: Key, value: Any) -> bytes:
        if key not in self._owners:
            self._owners[key] = id(value)
            self._alive.append(value)
            self._pending.append((key, value))
        return atoms.text("name", *key)

    def digest(self, value: Any) -> bytes:
        """The digest of a value."""
        atom = atoms.atom(value)
        if atom is not None:
            return atom
        if isinstance(value, FunctionType) or is_class(value):
            key = ("code", str(value.__module__), value.__qualname__)
            # A lambda, a local function, or the older one of two with one name has no name.
            if "<" not in key[2] and self._owners.get(key, id(value)) == id(value):
                return self._name(key, value)
        number = id(value)
        if number in self._done:
            return self._done[number]
        if number in self._stack:
            self._closes = min(self._closes, self._stack[number])
            return atoms.text("above", str(len(self._stack) - self._stack[number]))
        self._alive.append(value)
        return self._descend(value, number)

    def _descend(self, value: Any, number: int) -> bytes:
        depth = len(self._stack)
        outer, self._closes = self._closes, sys.maxsize
        self._stack[number] = depth
        try:
            digest = self._inner(value)
        finally:
            del self._stack[number]
        # What closes a cycle with an ancestor has another digest when it is met elsewhere.
        if self._closes >= depth:
            self._done[number] = digest
            self._closes = sys.maxsize
        self._closes = min(outer, self._closes)
        return digest

    def _all(self, values: Iterable[Any]) -> list[bytes]:
        return [self.digest(value) for value in values]

    def _inner(self, value: Any) -> bytes:
        if isinstance(value, FunctionType):
            return self._function(value)
        if is_class(value):
            return self._class(value)
        if isinstance(value, ModuleType):
            return self._module(value.__name__)
        if isinstance(value, CodeType):
            return self._code(value)
        function = plain(value)
        if function is not value:
            return self.digest(function)
        parts = atoms.parts(value)
        return self._data(value) if parts is None else atoms.hashed(parts[0], *self._all(parts[1]))

    # --- code --------------------------------------------------------------------------------

    def _code(self, code: CodeType) -> bytes:
        shape = (
            code.co_name,
            code.co_argcount,
            code.co_posonlyargcount,
            code.co_kwonlyargcount,
            code.co_flags & _FLAGS,
            code.co_varnames,
            code.co_freevars,
            code.co_cellvars,
        )
        steps = (atoms.text(name) + self.digest(value) for name, value in operations(code))
        return atoms.hashed(b"code", self.digest(shape), *steps)

    def _function(self, function: FunctionType) -> bytes:
        values = function.__globals__
        module = str(values.get("__name__"))
        if not _travels(module):
            self.installed.add(module)
        if not _travels(module) and importable(function) is not None:
            return atoms.text("installed", module, function.__qualname__)
        parts = [
            *self._all((function.__defaults__, function.__kwdefaults__)),
            *self._all(
                content for cell in function.__closure__ or () for content in atoms.content(cell)
            ),
            self.digest(dict(function.__dict__)),
        ]
        if not _travels(module):  # what a library's decorator has made of the user's function
            name = atoms.text("made by", module, function.__code__.co_name)
            return atoms.hashed(b"wrapper", name, *parts)
        reached = self._reached(function, module)
        return atoms.hashed(b"function", self._code(function.__code__), *parts, *reached)

    def _reached(self, function: FunctionType, module: str) -> Iterator[bytes]:
        """Globals by name, and modules that the body imports."""
        values = function.__globals__
        used = {name for nested in codes(function.__code__) for name in nested.co_names}
        for name in sorted(global_names(function.__code__)):
            if name in values and not name.startswith("__"):
                yield self._global(module, name, values[name], used)
        package = values.get("__package__")
        for item in sorted(imports(function.__code__), key=repr):
            for target in resolve_import(item, package if isinstance(package, str) else ""):
                yield self._module(target)
                if target in sys.modules:
                    yield from self._attributes(sys.modules[target], used)
        yield self._module(module)

    def _global(self, module: str, name: str, value: Any, used: set[str]) -> bytes:
        if isinstance(value, ModuleType):
            attributes = self._attributes(value, used)
            return atoms.hashed(name.encode(), self._module(value.__name__), *attributes)
        value = plain(value)
        if isinstance(value, FunctionType) or is_class(value):
            return atoms.hashed(name.encode(), self.digest(value))
        return self._name(("global", module, name), value)

    def _attributes(self, module: ModuleType, used: set[str]) -> Iterator[bytes]:
        """What the code may use of a local module that it holds as a whole."""
        if modules.is_local(module.__name__):
            for name in sorted(used.intersection(vars(module))):
                value = vars(module)[name]
                if value is not module:
                    yield self._global(module.__name__, name, value, used - {name})

    def _class(self, cls: type) -> bytes:
        if not _travels(cls.__module__):
            self.installed.add(cls.__module__)
            return atoms.text("installed", cls.__module__, cls.__qualname__)
        members = {name: item for name, item in vars(cls).items() if name not in _CLASS_NOISE}
        parts = [atoms.text(name) + self.digest(members[name]) for name in sorted(members)]
        return atoms.hashed(b"class", *self._all((type(cls), cls.__bases__)), *parts)

    # --- modules -----------------------------------------------------------------------------

    def _module(self, name: str) -> bytes:
        if modules.is_local(name):
            return self._name(("module", name, ""), name)
        self.installed.add(name)
        return atoms.text("module", name)

    def _skeleton(self, name: str) -> bytes:
        """What runs when the local module is imported; its definitions count when reached."""
        source = modules.find(name)
        if source is None:
            return atoms.text("module", name)
        live = sys.modules.get(name)
        parts: list[bytes] = []
        for node in modules.parsed(source).body:
            if live is not None and _is_definition(node, vars(live)):
                continue
            if _is_main_guard(node):
                continue
            parts.append(atoms.text(ast.dump(_without_docstrings(node))))
            if live is not None:
                used = {item.id for item in ast.walk(node) if isinstance(item, ast.Name)}
                values = (plain(vars(live).get(item)) for item in sorted(used))
                parts += self._all(v for v in values if isinstance(v, FunctionType) or is_class(v))
        imported = modules.closure([name])
        parts += [self._module(other) for other in imported if other != name]
        return atoms.hashed(b"skeleton", *parts)

    # --- data --------------------------------------------------------------------------------

    def _data(self, value: Any) -> bytes:  # noqa: PLR0911 - one line for each kind
        kind = type(value)
        if kind in {list, tuple}:
            return atoms.hashed(kind.__name__.encode(), *self._all(value))
        if kind in {set, frozenset}:
            return atoms.hashed(kind.__name__.encode(), *sorted(self._all(value)))
        if kind is dict:
            # Two dicts are equal whatever the order of their keys.
            return atoms.hashed(
                b"dict", *sorted(self.digest(k) + self.digest(v) for k, v in value.items())
            )
        if isinstance(value, OrderedDict):
            return atoms.hashed(self.digest(kind), *self._all(value.items()))
        array = atoms.array(value)
        if array is not None:
            return atoms.hashed(self.digest(kind), array)
        try:
            reduced = atoms.reduced(value)
        except Exception:  # noqa: BLE001 - a user's reduction may raise anything
            # It does not travel either: capture refuses it, or the module makes it anew.
            return atoms.text("opaque", kind.__module__, kind.__qualname__)
        if isinstance(reduced, str):
            self.installed.add(str(getattr(value, "__module__", kind.__module__)))
            return atoms.text("by name", kind.__module__, reduced)
        function, arguments, state, items, pairs = (*reduced, None, None, None, None)[:5]
        rest = [None if items is None else list(items), None if pairs is None else dict(pairs)]
        return atoms.hashed(b"object", *self._all((function, arguments, state, *rest)))


def _is_definition(node: ast.stmt, live: dict[str, Any]) -> bool:
    """True for a function or class that does nothing when the module is imported."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        value = live.get(node.name)
        return plain(value) is not value or not node.decorator_list
    return False


def _is_main_guard(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.If)
        and isinstance(node.test, ast.Compare)
        and isinstance(node.test.left, ast.Name)
        and node.test.left.id == "__name__"
        and not node.orelse
    )


def _without_docstrings(node: ast.stmt) -> ast.AST:
    """The statement without docstrings, which are strings that stand alone."""
    for item in ast.walk(node):
        body = getattr(item, "body", None)
        if isinstance(body, list):
            item.body = [stmt for stmt in body if not _is_string(stmt)]  # type: ignore[attr-defined]
    return ast.Pass() if _is_string(node) else node


def _is_string(node: Any) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _travels(module: str) -> bool:
    """True if code of that module travels, by value or with its source."""
    return (
        module in {"__main__", "__mp_main__"}
        or module not in sys.modules
        or (modules.is_local(module) or modules.is_made_by_hand(module))
    )
