"""The budgets and habits of the house: each test lists the offenders."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef

COMPOSITION_ROOTS = {
    "kalelite.authoring.pipeline",
    "kalelite.authoring.trace.body",
    "kalelite.backends.kubeflow.compile.build",
    "kalelite.backends.kubeflow.kubeflow_backend",
    "kalelite.backends.kubeflow.launch",
    "kalelite.backends.kubeflow.recur.kfp_schedules",
    "kalelite.backends.kubeflow.submitted_run",
    "kalelite.backends.local.run",
    "kalelite.runs.report.run_page",
    "kalelite.volumes.prepare_volumes",
}
"""Modules that put the parts of a room together, and so may import more than eight others."""

REGISTRIES = {"kalelite", "kalelite.authoring.backends"}
"""Modules that import modules of ours by name: the public names, and the backends."""


@dataclass(frozen=True)
class Module:
    """A module of the package: its dotted name and its source."""

    name: str
    path: Path

    @cached_property
    def text(self) -> str:
        return self.path.read_text("utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    def imports(self, *, for_types: bool = False) -> set[str]:
        """The modules of ours that it imports, in functions too; ``for_types`` for checkers as well."""
        found: set[str] = set()
        pending: list[ast.AST] = [self.tree]
        while pending:
            node = pending.pop()
            if (
                not for_types
                and isinstance(node, ast.If)
                and "TYPE_CHECKING" in ast.dump(node.test)
            ):
                pending.extend(node.orelse)
                continue
            pending.extend(ast.iter_child_nodes(node))
            if isinstance(node, ast.Import):
                found.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                parts = (f"{node.module}.{alias.name}" for alias in node.names)
                found.update(part if part in MODULES else node.module for part in parts)
        # The last two stand for modules of Python: `dataclasses` and `hashlib`.
        return (found & set(MODULES)) - {self.name, "kalelite.frozen", "kalelite.blake"}


def modules() -> Iterator[Module]:
    for path in sorted((ROOT / "kalelite").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        yield Module(".".join(parts).removesuffix(".__init__"), path)


MODULES = {module.name: module for module in modules()}


def functions(module: Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(module.tree) if isinstance(node, FUNCTIONS))


def test_modules_have_at_most_400_lines():
    long = {m.name: n for m in MODULES.values() if (n := len(m.text.splitlines())) > 400}

    assert long == {}


def test_functions_have_at_most_60_lines():
    long = {
        f"{module.name}.{node.name}": length
        for module in MODULES.values()
        for node in functions(module)
        if (length := (node.end_lineno or 0) - node.lineno + 1) > 60
    }

    assert long == {}


def test_modules_import_at_most_8_others_of_ours():
    wide = {m.name: n for m in MODULES.values() if (n := len(m.imports())) > 8}

    assert wide.keys() - COMPOSITION_ROOTS == set()
    assert COMPOSITION_ROOTS - wide.keys() == set(), "no exception that is not needed"


def test_modules_do_not_import_each_other_in_circles():
    # The public names are imported lazily, on behalf of whoever asks for them.
    graph = {
        module.name: module.imports(for_types=True) - {"kalelite"}
        for module in MODULES.values()
        if module.name not in {"kalelite", "kalelite.runs"}
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_modules_of_ours_are_imported_by_name_in_the_registries_only():
    by_name = {
        f"{module.name}:{node.lineno}"
        for module in MODULES.values()
        if module.name not in REGISTRIES
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).rpartition(".")[2] in {"import_module", "__import__"}
        and "kalelite" in ast.unparse(node)
    }

    assert by_name == set()


def test_no_two_modules_have_one_name():
    homes = defaultdict(list)
    for module in MODULES.values():
        if not module.path.stem.startswith("__"):
            homes[module.path.stem.strip("_")].append(module.name)

    assert {name: found for name, found in homes.items() if len(found) > 1} == {}


def test_no_two_classes_have_one_name():
    homes = defaultdict(list)
    for module in MODULES.values():
        for node in module.tree.body:
            if isinstance(node, ast.ClassDef):
                homes[node.name].append(module.name)

    assert {name: found for name, found in homes.items() if len(found) > 1} == {}


def test_nothing_is_left_for_later():
    left = re.compile(r"\b(?:TODO|FIXME|XXX|NotImplementedError)\b")

    assert [module.name for module in MODULES.values() if left.search(module.text)] == []


HEAVY = ["kfp", "kubernetes", "numpy", "rich", "click", "cloudpickle", "dill", "pandas", "yaml"]


@pytest.mark.parametrize("statement", ["import kalelite", "from kalelite import step, pipeline"])
def test_importing_the_public_names_imports_nothing_heavy(statement):
    code = f"import sys; {statement}; print([m for m in {HEAVY!r} if m in sys.modules])"
    seen = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert seen.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("library", "homes"),
    [
        ("kfp", {"kalelite.backends.kubeflow"}),
        ("kubernetes", {"kalelite.volumes.kube_client"}),
        ("rich", {"kalelite.display"}),
    ],
)
def test_a_library_is_imported_in_its_own_room(library, homes):
    pattern = re.compile(rf"^\s*(?:import {library}\b|from {library}\b)", re.MULTILINE)
    users = [module.name for module in MODULES.values() if pattern.search(module.text)]

    assert [name for name in users if not name.startswith(tuple(homes))] == []


def test_every_public_name_can_be_imported():
    import kalelite

    for name in kalelite.__all__:
        assert getattr(kalelite, name) is not None
