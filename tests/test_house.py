"""The budgets and habits of the house, counted."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MODULES = sorted((ROOT / "kalelite").rglob("*.py"))


def name_of(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_is_at_most_400_lines_and_a_function_60(path):
    text = path.read_text(encoding="utf-8")
    long = [
        f"{node.name}: {node.end_lineno - node.lineno + 1} lines"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno - node.lineno + 1 > 60
    ]

    assert len(text.splitlines()) <= 400
    assert long == []


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_nothing_is_left_for_later(path):
    left = re.findall(r"\b(?:TODO|FIXME|XXX|NotImplementedError)\b", path.read_text("utf-8"))

    assert left == []


HEAVY = ["kfp", "kubernetes", "numpy", "rich", "click", "cloudpickle", "dill", "pandas", "yaml"]


@pytest.mark.parametrize("statement", ["import kalelite", "from kalelite import step, pipeline"])
def test_importing_the_public_names_imports_nothing_heavy(statement):
    code = f"import sys; {statement}; print([m for m in {HEAVY!r} if m in sys.modules])"
    seen = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert seen.stdout.strip() == "[]"


@pytest.mark.parametrize("library", ["kfp", "kubernetes"])
def test_a_library_of_the_cluster_is_imported_in_one_module_at_most(library):
    pattern = re.compile(rf"^\s*(?:import {library}\b|from {library}\b)", re.MULTILINE)
    users = [name_of(path) for path in MODULES if pattern.search(path.read_text("utf-8"))]

    assert len(users) <= 1


def test_rich_is_imported_by_the_face_only():
    pattern = re.compile(r"^\s*(?:import rich\b|from rich\b)", re.MULTILINE)
    users = {path.parent.name for path in MODULES if pattern.search(path.read_text("utf-8"))}

    assert users <= {"cli", "notebook"}


def test_every_public_name_can_be_imported():
    import kalelite

    for name in kalelite.__all__:
        assert getattr(kalelite, name) is not None
