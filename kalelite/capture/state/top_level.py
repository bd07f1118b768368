"""What the statements at the top of a script do to what it imports, read from their syntax.

Nothing is run: names, attributes and items are looked up as they are now. Functions without a
decorator count as well, for a script may call them from its top.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import deque
from collections.abc import Sequence
from dataclasses import field
from types import ModuleType
from typing import Any

from kalelite.capture.module_overrides import content
from kalelite.capture.state.changes import Change, follow
from kalelite.capture.state.process_settings import KNOWN
from kalelite.capture.state.statements import imported, imported_modules, made_by, statements
from kalelite.frozen import frozen, mutable
from kalelite.source.locations import nodes_of

MUTATORS = frozenset(
    {
        "add", "append", "appendleft", "clear", "discard", "extend", "extendleft", "insert", "pop",
        "popitem", "popleft", "remove", "reverse", "setdefault", "sort", "update",
    }
)  # fmt: skip
_REGISTERS = re.compile(
    r"regist|hook|listen|subscribe|component|convert|^(add|set|enable|disable|use|install|update"
    r"|configure|define|addLevelName|pickle|constructor|tzset|setrlimit)(_|$|[A-Z])"
)
_STARTS = re.compile(r"init|^start|connect|login|patch|^extension$|^apply$|^signal$")
_SEEDS = re.compile(r"seed|^set_?(rng_?)?state")
_PROCESS = frozenset(
    {"path", "modules", "meta_path", "path_hooks", "argv", "stdin", "stdout", "stderr"}
)
"""Of `sys`: what belongs to each process, and is seen to elsewhere."""
_FILES = frozenset({"glob", "pathlib", "shutil", "tempfile", "zipfile"})
"""Their objects change files, which steps find where they are."""
_INERT = (
    ast.Constant, ast.Name, ast.Attribute, ast.Subscript, ast.Slice, ast.Tuple, ast.List, ast.Dict,
    ast.Set, ast.UnaryOp, ast.unaryop, ast.BinOp, ast.operator, ast.Starred, ast.expr_context,
)  # fmt: skip
_GENERATORS = {"random": "random", "numpy": "numpy.random", "torch": "torch"}

Path = tuple[tuple[str, Any], ...]


@frozen
class Place:
    """Something in a module, by the path that leads there, and what it is now."""

    module: str
    path: Path
    value: Any


@frozen
class Seen:
    """A change of what a module holds, and the statement that makes it."""

    module: str
    change: Change
    node: ast.AST
    sure: bool
    """Whether the statement stands at the top itself."""


@mutable
class TopLevel:
    """What the top of one namespace does.

    ``changes`` are in the order of the source. ``touched`` are modules whose functions it calls,
    ``seeded`` the modules of generators that it seeds ("" for a function that may seed any), and
    ``lost`` the statements that no step can be given.
    """

    tree: ast.Module
    values: dict[str, Any]
    is_local: Any
    changes: list[Seen] = field(default_factory=list)
    touched: set[str] = field(default_factory=set)
    seeded: set[str] = field(default_factory=set)
    lost: list[ast.AST] = field(default_factory=list)
    names: dict[str, Place] = field(default_factory=dict)
    unused: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._imports()
        for node, sure in statements(self.tree.body, sure=True):
            self._statement(node, sure)

    # --- names -------------------------------------------------------------------------------

    def _imports(self) -> None:
        """Learn what is imported, under other names too, and which of it nothing mentions."""
        package = self.values.get("__package__") or ""
        nodes = nodes_of(self.tree)
        used = {node.id for node in nodes if isinstance(node, ast.Name)}
        for node in (one for one in nodes if isinstance(one, ast.Import | ast.ImportFrom)):
            found = list(imported(node, package))
            for name, module, attribute in found:
                self._import(name, module, attribute)
            if not used.intersection(name for name, *_ in found):
                self.unused += imported_modules(node, found)
        for statement in self.tree.body:
            if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Attribute):
                place = self.place(statement.value)
                names = [target.id for target in statement.targets if isinstance(target, ast.Name)]
                self.names.update(dict.fromkeys(names, place) if place else {})

    def _import(self, name: str, module: str, attribute: str | None) -> None:
        live = sys.modules.get(module)
        if live is None or module.partition(".")[0] in {"kalelite", "__future__", "typing"}:
            return
        path: Path = ((".", attribute),) if attribute else ()
        try:
            self.names[name] = _place(Place(module, (), live), path)
        except (AttributeError, LookupError):
            return

    def place(self, node: ast.AST) -> Place | None:
        """Where a chain of attributes and items leads that starts at something imported."""
        if isinstance(node, ast.Name):
            found = self.names.get(node.id)
            if found is None or self.values.get(node.id, found.value) is not found.value:
                return None
            return found
        if isinstance(node, ast.Attribute):
            step = (".", node.attr)
        elif isinstance(node, ast.Subscript) and (key := self.value(node.slice)):
            step = ("[", key[0])
        else:
            return None
        above = self.place(node.value)
        try:
            return _place(above, (step,)) if above else None
        except Exception:
            return None

    def value(self, node: ast.AST) -> tuple[Any] | None:
        """What an expression stands for, if looking it up calls nothing of the user's."""
        inner = ast.walk(node)
        if isinstance(node, ast.Lambda):  # it is made, and not called
            inner = iter([*node.args.defaults, *filter(None, node.args.kw_defaults)])
        if not all(isinstance(part, _INERT) for part in inner):
            return None
        try:
            code = compile(ast.Expression(node), self.values.get("__file__") or "<top>", "eval")  # type: ignore[arg-type]
            return (eval(code, self.values),)
        except Exception:
            return None

    # --- statements --------------------------------------------------------------------------

    def _statement(self, node: ast.AST, sure: bool) -> None:
        match node:
            case ast.Assign(targets=targets) | ast.Delete(targets=targets):
                for target in targets:
                    self._target(target, node, sure)
            case ast.AugAssign(target=target) | ast.AnnAssign(target=target):
                self._target(target, node, sure)
            case ast.Expr(value=ast.Call() as call):
                self._call(call, sure)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                for decorator in node.decorator_list:
                    self._decorator(decorator, node, sure)
                for base in getattr(node, "bases", ()):
                    self._touch(self.place(base))

    def _see(
        self, place: Place, kind: str, path: Path, *rest: Any, node: ast.AST, sure: bool
    ) -> None:
        self.changes.append(Seen(place.module, (kind, path, *rest), node, sure))

    def _touch(self, place: Place | None) -> bool:
        """Note that code of a local module is called; whether it is one's."""
        if place is None:
            return False
        home = getattr(place.value, "__module__", None) or type(place.value).__module__
        if isinstance(home, str) and self.is_local(home):
            self.touched |= {home, place.module}
            return True
        return False

    def _target(self, target: ast.AST, node: ast.AST, sure: bool) -> None:
        if isinstance(target, ast.Tuple | ast.List):
            for item in target.elts:
                self._target(item, node, sure)
        elif isinstance(target, ast.Attribute | ast.Subscript):
            owner = self.place(target.value)
            if owner is None:
                self._out_of_sight(target.value, node, sure)
            elif isinstance(target, ast.Attribute):
                self._attribute(owner, target.attr, node, sure)
            elif isinstance(target.slice, ast.Constant):
                self._item(owner, target.slice.value, node, sure)
            else:
                self._content(owner, node, sure)

    def _out_of_sight(self, target: ast.AST, node: ast.AST, sure: bool) -> None:
        """``library.context().precision = 6``: only the library's own table knows of it."""
        root = target
        while isinstance(root, ast.Attribute | ast.Subscript | ast.Call):
            root = root.func if isinstance(root, ast.Call) else root.value
        place = self.place(root)
        if place is None or place.module in _FILES:
            return
        if sure and any(isinstance(n, ast.Call) for n in ast.walk(target)):
            self._lose(place, node)

    def _attribute(self, owner: Place, name: str, node: ast.AST, sure: bool) -> None:
        if owner.module == "sys" and not owner.path and name in _PROCESS:
            return
        path = (*owner.path, (".", name))
        held = vars(owner.value) if isinstance(owner.value, type) else {}
        try:
            value = held[name] if name in held else getattr(owner.value, name)
        except AttributeError:
            self._see(owner, "delete", path, node=node, sure=sure)
            return
        self._see(owner, "set", path, value, node=node, sure=sure)

    def _item(self, owner: Place, key: Any, node: ast.AST, sure: bool) -> None:
        path = (*owner.path, ("[", key))
        if owner.module == "sys" and owner.path and owner.path[0][1] in _PROCESS:
            return
        if (owner.module, owner.path) == ("os", ((".", "environ"),)):
            if key in owner.value:
                self._see(owner, "environ", (), key, owner.value[key], node=node, sure=sure)
            return
        try:
            value = owner.value[key]
        except Exception:
            self._see(owner, "delete", path, node=node, sure=sure)
            return
        self._see(owner, "set", path, value, node=node, sure=sure)

    def _content(self, owner: Place, node: ast.AST, sure: bool) -> None:
        """All that a mutable object of a module holds."""
        if owner.module in {"os", "sys"}:
            return
        if isinstance(owner.value, ModuleType | type):
            self._own_attributes(owner, node, sure)
            return
        held = content(owner.value)
        if held is not None:
            self._see(owner, "fill", owner.path, held[0], node=node, sure=sure)

    def _own_attributes(self, owner: Place, node: ast.AST, sure: bool) -> None:
        """Attributes by names that do not show: functions and classes of the script are its own."""
        if self.is_local(owner.module):
            self.touched.add(owner.module)
        for name, value in list(vars(owner.value).items()):
            home = getattr(value, "__globals__", None) is self.values
            if home or getattr(value, "__module__", None) == self.values.get("__name__"):
                self._attribute(owner, name, node, sure)

    # --- calls -------------------------------------------------------------------------------

    def _call(self, call: ast.Call, sure: bool) -> None:
        name = (
            call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        )
        if name in {"setattr", "delattr"} and len(call.args) > 1:
            owner, key = self.place(call.args[0]), call.args[1]
            if owner and isinstance(key, ast.Constant):
                self._attribute(owner, str(key.value), call, sure)
            elif owner:
                self._content(owner, call, sure)
            return
        place = self.place(call.func)
        if _SEEDS.search(name):
            root = place.module.partition(".")[0] if place else ""
            self.seeded.add(_GENERATORS.get(root, ""))
            return
        owner = self.place(call.func.value) if isinstance(call.func, ast.Attribute) else None
        if owner is not None and name in MUTATORS and self._mutates(owner, call, sure):
            return
        if owner is not None and not isinstance(owner.value, ModuleType | type):
            self._content(owner, call, sure)
        if place is None:
            self._chained(call, sure)
        elif not self._touch(place) and place.module != "atexit":
            self._again(place, name, [call], None, call, sure)

    def _mutates(self, owner: Place, call: ast.Call, sure: bool) -> bool:
        """``library.items.append(…)``; False for a method that only has such a name."""
        if (owner.module, owner.path) == ("os", ((".", "environ"),)):
            keys = [
                *call.args[:1],
                *(key for arg in call.args[:1] for key in getattr(arg, "keys", ())),
            ]
            for key in keys:
                if isinstance(key, ast.Constant):
                    self._item(owner, key.value, call, sure)
            for keyword in call.keywords:
                self._item(owner, keyword.arg, call, sure)
            return True
        if not isinstance(owner.value, list | dict | set | deque):
            return False
        self._content(owner, call, sure)
        return True

    def _chained(self, call: ast.Call, sure: bool) -> None:
        if isinstance(call.func, ast.Attribute):
            self._out_of_sight(call.func.value, call, sure)

    def _decorator(self, node: ast.AST, made: Any, sure: bool) -> None:
        calls: list[ast.Call] = []
        while isinstance(node, ast.Call):
            calls.insert(0, node)
            node = node.func
        place = self.place(node)
        if place is None or not sure:
            return
        names = [str(key) for _, key in place.path]
        if self._touch(place) or not names:
            return
        name = next((part for part in names if _REGISTERS.search(part)), names[-1])
        value = made_by(made, self.values)
        if value is not None and _REGISTERS.search(name):
            self._again(place, name, calls, value, made, sure)

    def _again(
        self,
        place: Place,
        name: str,
        calls: Sequence[ast.Call],
        made: Any,
        node: ast.AST,
        sure: bool,
    ) -> None:
        """A call of a library, to be made again with what it was given."""
        if not _REGISTERS.search(name):
            if sure and _STARTS.search(name):
                self._lose(place, node)
            return
        given = []
        for call in calls:
            args = [self.value(arg) for arg in call.args]
            kwargs = {keyword.arg: self.value(keyword.value) for keyword in call.keywords}
            if None in args or None in kwargs.values() or None in kwargs:
                if sure:
                    self._lose(place, node, name)
                return
            values = {str(key): value[0] for key, value in kwargs.items() if value}
            given.append((tuple(arg[0] for arg in args if arg), values))
        if made is not None:
            given.append(((made,), {}))
        self._see(place, "call", place.path, tuple(given), node=node, sure=sure)

    def _lose(self, place: Place, node: ast.AST, name: str = "") -> None:
        """Note what no step can be given; settings of a known library are read from itself."""
        if place.module.partition(".")[0] not in KNOWN or "regist" in name:
            self.lost.append(node)


def _place(above: Place, path: Path) -> Place:
    """A place below another one, by the innermost module on the way."""
    module, inside, value = above.module, above.path, above.value
    for step in path:
        value = follow(value, (step,))
        inside = (*inside, step)
        if isinstance(value, ModuleType) and sys.modules.get(value.__name__) is value:
            module, inside = value.__name__, ()
    return Place(module, inside, value)
