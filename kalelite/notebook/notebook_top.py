"""What of a tagged notebook stands at the top of the script, and what of it the steps change."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from kalelite.errors import Problem
from kalelite.notebook.cell_code import CellCode, cell_code
from kalelite.notebook.free_names import BUILTINS
from kalelite.notebook.statement_names import names_of
from kalelite.notebook.step_flow import Flow, Statement, StepFlow
from kalelite.notebook.value_changes import changes_of, closure, scalars

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


class NotebookTop:
    """The top of a notebook's script, taken out of its cells when it is made.

    Attributes
    ----------
    libraries, fixed, functions
        Names, as `changes_of` takes them.
    values
        Names that the top binds and steps bind or change: they go from step to step.
    known
        The other names of the top.
    definitions
        The functions and classes of the top, by name.
    """

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.tagged = flow.tagged
        self.libraries: set[str] = set()
        self.fixed: set[str] = set()
        self.functions: set[str] = set()
        self.values: set[str] = set()
        self.known: set[str] = set()
        self.definitions: dict[str, tuple[CellCode, ast.stmt]] = {}
        self._made: set[str] = set()
        for unit, tagged in {"": flow.tagged, **flow.tagged.units}.items():
            flow.signatures[unit] = {}
            for code in map(cell_code, tagged.parameters):
                for statement in code.body:
                    self._parameter(code, statement, unit)
        self._hoist()
        self._know()
        self._copy_helpers()

    def _parameter(self, code: CellCode, statement: ast.stmt, unit: str) -> None:
        where = code.where(statement.lineno)
        match statement:
            case ast.Assign(targets=[*targets], value=value):
                names = [target.id for target in targets if isinstance(target, ast.Name)]
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                names = [name]
            case ast.Expr(value=ast.Constant()) | ast.Import() | ast.ImportFrom():
                return
            case ast.Expr():
                self.flow.notes.append(
                    f"{code.where(1)}: of the cell of the parameters, steps get the values; what else"
                    " stands there is in none of them."
                )
                return
            case _:
                names, value = [], ast.Constant(None)
        try:
            found = ast.literal_eval(value)
        except ValueError:
            names = []
        if not names:
            hint = (
                "Write NAME = value, with a number, a text, a bool, a list or a dict; what else is to"
                " run belongs to a cell of its own."
            )
            self.flow.problems.append(Problem("this is no pipeline parameter", hint, where))
            return
        default = list(found) if isinstance(found, tuple) else found
        pipelines = self.flow.signatures[""] if unit else {}
        self.flow.signatures[unit] |= {name: default for name in names if name not in pipelines}

    def _hoist(self) -> None:
        """Take imports, and definitions that need nothing of a step, to the top."""
        bodies = [self.flow.top, *(step.body for step in self.flow.steps)]
        every = [statement for body in bodies for _, statement in body]
        bound = Counter(name for s in every for name in names_of([s]).binds)
        bound.update(self.flow.parameters.keys())
        imports = Counter(
            ast.unparse(s) for s in every if isinstance(s, ast.Import | ast.ImportFrom)
        )
        for step in self.flow.steps:
            for item in [i for i in step.body if ast.unparse(i[1]) in imports]:
                often = imports[ast.unparse(item[1])]
                if all(
                    bound[name] in {often, 1} or name == "*" for name in names_of([item[1]]).binds
                ):
                    self._move(step, item)
        while self._hoist_definitions(bound):
            pass

    def _hoist_definitions(self, bound: Counter[str]) -> bool:
        """Take definitions to the top that use only what is there; whether there were any."""
        top = self._module_names() | BUILTINS
        found = False
        for step in self.flow.steps:
            for item in [i for i in step.body if isinstance(i[1], _DEFINITIONS)]:
                name = name_of(item[1])
                reads = names_of([item[1]]).reads.keys() - {name}
                if bound[name] == 1 and reads <= top and not globals_of(item[1]):
                    self._move(step, item)
                    top.add(name)
                    found = True
        return found

    def _move(self, step: StepFlow, item: Statement) -> None:
        step.body.remove(item)
        self.flow.hoisted.append(item)

    def _module_names(self) -> set[str]:
        """Names of the top that no step binds."""
        flow = self.flow
        names: set[str] = set()
        for _, statement in [*flow.top, *flow.hoisted]:
            names |= names_of([statement]).binds.keys()
            if isinstance(statement, ast.ImportFrom) and statement.names[0].name == "*":
                names |= star_names(statement, Path(self.tagged.notebook.path).parent)
        stepwise = {name for step in flow.steps for name in names_of(s for _, s in step.body).binds}
        return names - stepwise - flow.parameters.keys() - {"*"}

    def _know(self) -> None:
        """Sort the names of the top: libraries, what cannot change, what steps make."""
        flow = self.flow
        top = [*flow.top, *flow.hoisted]
        every = [s for _, s in top] + [s for step in flow.steps for _, s in step.body]
        numbers = scalars(every)
        collections = {n for n, v in flow.parameters.items() if isinstance(v, list | dict)}
        self.fixed = numbers | (flow.parameters.keys() - collections)
        self.functions = _only_defined(every)
        for code, statement in top:
            if isinstance(statement, _DEFINITIONS):
                self.definitions[name_of(statement)] = (code, statement)
            elif isinstance(statement, ast.Import | ast.ImportFrom):
                self._imported(statement)
        values = {name for _, s in top for name in names_of([s]).binds}
        values -= self.fixed.difference(numbers) | self.functions
        bodies = [s for _, s in flow.top if isinstance(s, _DEFINITIONS)] + [
            s for step in flow.steps for _, s in step.body
        ]
        found = changes_of(bodies, self.libraries, self.fixed, self.functions)
        stepwise = {name for step in flow.steps for name in names_of(s for _, s in step.body).binds}
        declared = {name for s in bodies for name in globals_of(s)}
        self.values = values & (closure(found.changed, found.shared) | stepwise | declared)
        self.known = (self._module_names() | BUILTINS) - self.values
        self._made = stepwise | flow.parameters.keys() | self.values
        self._note_parameters()

    def _imported(self, statement: ast.Import | ast.ImportFrom) -> None:
        folder = Path(self.tagged.notebook.path).parent
        names = set(names_of([statement]).binds)
        self.fixed |= names
        if isinstance(statement, ast.ImportFrom) and "*" in names:
            names = star_names(statement, folder)
        if not _is_local(statement, folder):
            self.libraries |= names

    def _note_parameters(self) -> None:
        for code, statement in self.flow.top:
            if isinstance(statement, (*_DEFINITIONS, ast.Import, ast.ImportFrom)):
                continue
            for name in names_of([statement]).sure & self.flow.parameters.keys():
                self.flow.notes.append(
                    f"{code.where(statement.lineno)}: the top reads the parameter {name}: there it has"
                    " the notebook's own value, whatever -p gives."
                )

    def _copy_helpers(self) -> None:
        """Give steps their own copy of the definitions of the top that read what steps make."""
        copied = {
            name
            for name, (_, s) in self.definitions.items()
            if names_of([s]).reads.keys() & self._made
        }
        size = -1
        while size != len(copied):
            size = len(copied)
            copied |= {
                name
                for name, (_, s) in self.definitions.items()
                if names_of([s]).reads.keys() & copied
            }
        self.flow.copied = copied
        for step in self.flow.steps:
            needed: list[str] = []
            pending = list(names_of(s for _, s in step.body).reads)
            while pending:
                name = pending.pop()
                if name in copied and name not in needed:
                    needed.append(name)
                    pending += names_of([self.definitions[name][1]]).reads
            step.helpers = [item for name, item in self.definitions.items() if name in needed]


def _only_defined(statements: Iterable[ast.stmt]) -> set[str]:
    """Names that stand for functions and classes, wherever they are bound."""
    defined = {name_of(s) for s in statements if isinstance(s, _DEFINITIONS)}
    others = [s for s in statements if not isinstance(s, _DEFINITIONS)]
    return defined - names_of(others).binds.keys()


def name_of(node: ast.stmt) -> str:
    """The name of a definition, empty for anything else."""
    return str(getattr(node, "name", ""))


def _is_local(node: ast.Import | ast.ImportFrom, folder: Path) -> bool:
    """Whether a module beside the notebook is imported."""
    names = (
        [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
    )
    roots = [name.partition(".")[0] for name in names]
    return any((folder / f"{root}.py").exists() or (folder / root).is_dir() for root in roots)


def star_names(node: ast.ImportFrom, folder: Path) -> set[str]:
    """The names that ``from module import *`` binds; the module is imported for that."""
    import importlib
    import sys

    sys.path.insert(0, str(folder))
    try:
        module = importlib.import_module(node.module or "")
    except ImportError:
        return set()
    finally:
        sys.path.remove(str(folder))
    names = getattr(module, "__all__", None) or [n for n in vars(module) if not n.startswith("_")]
    return set(names)


def globals_of(node: ast.AST) -> set[str]:
    """The names that functions in a node declare global."""
    return {name for part in ast.walk(node) if isinstance(part, ast.Global) for name in part.names}
