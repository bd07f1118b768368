"""Which names' values code may change, and which names may hold parts of each other.

Nothing is run, so what may be is taken for what is: a step then returns a value that it has left as
it was, which costs time and never gives a wrong value.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from kalelite.notebook.statement_names import names_of

_PURE = frozenset(
    {
        "abs", "all", "any", "ascii", "bin", "bool", "bytes", "callable", "chr", "complex",
        "dict", "dir", "display", "divmod", "enumerate", "filter", "float", "format",
        "frozenset", "getattr", "hasattr", "hash", "hex", "id", "int", "isinstance",
        "issubclass", "iter", "len", "list", "log_metric", "map", "max", "min", "oct", "ord",
        "pow", "print", "range", "repr", "reversed", "round", "set", "slice", "sorted", "str",
        "sum", "super", "tuple", "type", "vars", "zip", "open",
    }
)  # fmt: skip
_PURE_METHODS = frozenset(
    {
        "abs", "agg", "aggregate", "all", "any", "apply", "argmax", "argmin", "argsort",
        "assign", "astype", "clip", "copy", "corr", "count", "cumsum", "decode", "describe",
        "diff", "dot", "drop", "drop_duplicates", "dropna", "dtypes", "duplicated", "encode",
        "endswith", "eq", "explode", "fillna", "find", "flatten", "format", "get", "group",
        "groupby", "head", "index", "info", "isin", "isna", "isnull", "item", "items",
        "iterrows", "itertuples", "join", "keys", "lower", "map", "max", "mean", "median",
        "melt", "memory_usage", "merge", "min", "mode", "nlargest", "notna", "notnull",
        "nsmallest", "nunique", "parameters", "pivot", "pivot_table", "predict",
        "predict_log_proba", "predict_proba", "quantile", "query", "rank", "read_text",
        "rename", "repeat", "replace", "reset_index", "resample", "rolling", "round",
        "sample", "score", "select_dtypes", "set_index", "shift", "sort_index", "sort_values",
        "split", "splitlines", "squeeze", "stack", "startswith", "std", "strip", "sum",
        "summary", "tail", "title", "to_csv", "to_dict", "to_json", "to_list", "to_numpy",
        "tolist", "transpose", "unique", "unstack", "upper", "value_counts", "values", "var",
        "where", "zfill",
    }
)  # fmt: skip
"""Methods that leave the object as it is, unless ``inplace=True`` is given."""
_VIEWS = frozenset(
    {
        "get", "items", "values", "iterrows", "itertuples", "head", "tail", "transpose",
        "squeeze", "group", "groupby", "keys",
    }
)  # fmt: skip
"""Of these, the methods whose result may be a part of the object."""
_RISKY = re.compile(
    r"shuffle|^put|place|fill|copyto|insort|^heap|^set|^del|^next$|^dump|^save|_$|^append|^extend|^sort$"
)
"""Functions of libraries that change their arguments."""
_SCALARS = frozenset(
    {
        "len", "int", "float", "str", "round", "bool", "abs", "repr", "format", "ord", "chr",
        "hash", "isinstance",
    }
)  # fmt: skip


@dataclass
class Changes:
    """What statements may do to values.

    Attributes
    ----------
    changed
        Names whose values may be changed, with the first line.
    shared
        Pairs of names of which one may hold the other, or a part of it; twice the same name where
        it is bound to what it was before.
    """

    changed: dict[str, int] = field(default_factory=dict)
    shared: list[tuple[str, str]] = field(default_factory=list)


def root_of(node: ast.AST) -> str | None:
    """``x`` of ``x.a[0].b``."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Starred):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def changes_of(
    statements: Iterable[ast.AST],
    libraries: AbstractSet[str],
    fixed: AbstractSet[str],
    functions: AbstractSet[str] = frozenset(),
) -> Changes:
    """What the statements may change.

    ``libraries`` are names that come from installed packages, ``fixed`` names of what neither
    changes nor holds what does: numbers, texts, modules. ``functions`` do not change either, but
    they may hold what they take from around them.
    """
    look = _Look(libraries, fixed, functions)
    for statement in statements:
        for node in ast.walk(statement):
            look.node(node)
    return look.found


def scalars(statements: Iterable[ast.AST]) -> set[str]:
    """Names that are only ever bound to numbers and texts."""
    bound: dict[str, bool] = {}
    for statement in statements:
        for node in ast.walk(statement):
            match node:
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    bound[name] = bound.get(name, True) and _is_scalar(value)
                case ast.AugAssign(target=ast.Name()) | ast.Assign(targets=[ast.Name()]):
                    continue
                case ast.Name(ctx=ast.Store()) if not _stored_alone(node, statement):
                    bound[node.id] = False
    return {name for name, scalar in bound.items() if scalar}


def _stored_alone(name: ast.Name, statement: ast.AST) -> bool:
    """Whether a name is the one target of an assignment."""
    return any(
        (isinstance(n, ast.Assign) and n.targets == [name])
        or (isinstance(n, ast.AugAssign) and n.target is name)
        for n in ast.walk(statement)
    )


def _is_scalar(node: ast.AST) -> bool:
    match node:
        case ast.Constant() | ast.JoinedStr() | ast.Compare():
            return True
        case ast.UnaryOp(operand=inner):
            return _is_scalar(inner)
        case ast.BinOp(left=left, right=right):
            return _is_scalar(left) and _is_scalar(right)
        case ast.Call(func=ast.Name(id=name)):
            return name in _SCALARS
    return False


class _Look:
    def __init__(
        self, libraries: AbstractSet[str], fixed: AbstractSet[str], functions: AbstractSet[str]
    ) -> None:
        self.found = Changes()
        self._libraries = libraries
        self._fixed = fixed | libraries
        self._functions = functions

    def _change(self, node: ast.AST) -> None:
        name = root_of(node)
        if name is not None and name not in self._fixed | self._functions:
            self.found.changed.setdefault(name, getattr(node, "lineno", 1))

    def _share(self, one: ast.AST, others: Iterable[ast.AST]) -> None:
        holder = root_of(one)
        for other in others:
            name = root_of(other)
            if holder and name and not self._fixed & {holder, name}:
                self.found.shared.append((holder, name))

    def node(self, node: ast.AST) -> None:
        """One node of any kind."""
        match node:
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    self._assigned(target, value)
            case ast.AnnAssign(target=target, value=value) if value is not None:
                self._assigned(target, value)
            case ast.NamedExpr(target=target, value=value):
                self._assigned(target, value)
            case ast.AugAssign(target=target):
                self._change(target)
            case ast.Delete(targets=targets):
                for target in targets:
                    if not isinstance(target, ast.Name):
                        self._change(target)
            case ast.For(target=target, iter=value) | ast.AsyncFor(target=target, iter=value):
                self._assigned(target, value)
            case ast.comprehension(target=target, iter=value):
                self._assigned(target, value)
            case ast.withitem(context_expr=value, optional_vars=target) if target is not None:
                self._assigned(target, value)
            case ast.Call():
                self._call(node)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                holder = ast.Name(node.name, ast.Load())
                self._share(holder, [ast.Name(name, ast.Load()) for name in names_of([node]).reads])
                if not isinstance(node, ast.ClassDef):
                    self._defaults(node.args)
            case ast.Lambda():
                self._defaults(node.args)

    def _defaults(self, arguments: ast.arguments) -> None:
        positional = [*arguments.posonlyargs, *arguments.args]
        defaults: list[ast.expr | None] = [*reversed(arguments.defaults)]
        pairs = [*zip(reversed(positional), defaults, strict=False)]
        pairs += [*zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]
        for argument, default in pairs:
            if default is not None:
                self._share(ast.Name(argument.arg, ast.Load()), self._held(default))

    def _assigned(self, target: ast.AST, value: ast.AST) -> None:
        if isinstance(target, ast.Tuple | ast.List):
            parts: list[ast.AST] = [value] * len(target.elts)
            if isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(target.elts):
                parts = [*value.elts]
            for one, part in zip(target.elts, parts, strict=True):
                self._assigned(one, part)
            return
        if isinstance(target, ast.Attribute | ast.Subscript):
            self._change(target)
        self._share(target, self._held(value))

    def _held(self, node: ast.AST) -> Iterator[ast.AST]:
        """What the value of an expression may hold, or be a part of."""
        match node:
            case ast.Name():
                yield node
            case ast.Attribute(value=inner) | ast.Subscript(value=inner):
                if root_of(node) is not None:
                    yield node
                else:
                    yield from self._held(inner)
            case ast.Starred(value=value) | ast.NamedExpr(value=value) | ast.Await(value=value):
                yield from self._held(value)
            case ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.Set(elts=parts):
                for part in parts:
                    yield from self._held(part)
            case ast.Dict(values=parts) | ast.BoolOp(values=parts):
                for part in parts:
                    yield from self._held(part)
            case ast.IfExp(body=one, orelse=other):
                yield from self._held(one)
                yield from self._held(other)
            case ast.ListComp(elt=part) | ast.SetComp(elt=part) | ast.GeneratorExp(elt=part):
                yield from self._held(part)
                for generator in node.generators:
                    yield from self._held(generator.iter)
            case ast.DictComp(value=part):
                yield from self._held(part)
                for generator in node.generators:
                    yield from self._held(generator.iter)
            case ast.Lambda(body=body):
                yield from (n for n in ast.walk(body) if isinstance(n, ast.Name))
            case ast.Call():
                yield from self._held_by_call(node)

    def _held_by_call(self, call: ast.Call) -> Iterator[ast.AST]:
        arguments = [*call.args, *(keyword.value for keyword in call.keywords)]
        function = call.func
        name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        if isinstance(function, ast.Attribute) and root_of(function) not in self._libraries:
            if name not in _PURE_METHODS or name in _VIEWS:
                yield from self._held(function.value)
            if name in _PURE_METHODS:
                return
        elif (
            name in _SCALARS
            or (name in _PURE and name in {"sum", "print", "open", "range"})
            or (root_of(function) in self._libraries and not name[:1].isupper())
        ):
            return
        if not isinstance(function, ast.Attribute):
            yield from self._held(function)
        for argument in arguments:
            yield from self._held(argument)

    def _call(self, call: ast.Call) -> None:
        arguments = [*call.args, *(keyword.value for keyword in call.keywords)]
        function, inplace = call.func, _inplace(call)
        if isinstance(function, ast.Attribute) and root_of(function) not in self._libraries:
            if function.attr in _PURE_METHODS and not inplace:
                return
            self._change(function.value)
            for argument in arguments:
                self._share(function.value, self._held(argument))
            if function.attr in {"fit", "fit_transform", "transform", "append", "add"}:
                return  # these take their arguments as they are
        elif isinstance(function, ast.Name) and function.id in _PURE:
            return
        elif root_of(function) in self._libraries:
            name = function.attr if isinstance(function, ast.Attribute) else root_of(function) or ""
            if not _RISKY.search(name) and not inplace:
                return
        elif isinstance(function, ast.Name):
            self._change(function)  # an object that is called, such as a model
        for argument in arguments:
            for part in self._held(argument):
                self._change(part)


def _inplace(call: ast.Call) -> bool:
    return any(keyword.arg in {"inplace", "out"} for keyword in call.keywords)


def closure(changed: Iterable[str], shared: Iterable[tuple[str, str]]) -> set[str]:
    """The names, and all that may hold parts of them or be held by them."""
    found = set(changed)
    pairs = list(shared)
    size = -1
    while size != len(found):
        size = len(found)
        for pair in pairs:
            if not found.isdisjoint(pair):
                found.update(pair)
    return found
