"""Generated notebooks give as steps what they give from top to bottom."""

from __future__ import annotations

import ast
import json
import sys
import types

import hypothesis
import pytest
from hypothesis import strategies as st

from kalelite.authoring.backends import open_backend
from kalelite.runs import Run

pytest.importorskip("IPython", reason="needs IPython: pip install 'kalelite[notebook]'")

STATEMENTS = [
    "{a} = [1, {u}]",
    "{a} = {{'k': [{u}]}}",
    "{a} = {b}",
    "{a} = [{b}, {c}]",
    "{a} = ({b}, 4)",
    "{a}, {b} = {b}, {a}",
    "put({a}, 5)",
    "{a} = grow({b})",
    "{a} = copy.deepcopy({b})",
    "{a} = str({b})",
    "n = n + 1",
    "n += len(str({a}))",
    "if n % 2:\n    {a} = {b}",
    "for {a} in [{b}, {c}]:\n    put({a}, n)",
    "{a} = [x for x in [{b}, n]]",
    "{a} = f'{{{b}}} {{n}} {u}'",
    "def use_{a}():\n    return [{a}, n]",
    "{a} = Box({b})",
    "put(Box({a}).v, 7)",
    "bump()",
    "{a} = peek()",
    "log.append(n)",
    "{a} = log",
    "while n < 3:\n    n += 1\n    put({a}, n)",
    "try:\n    {a} = [{u}, {b}[0]]\nexcept Exception as e:\n    put({b}, 8)",
    "{a} = [lambda: {b}][0]()",
    "[put(y, 9) for y in [{a}, {b}]]",
    "with Ctx({a}) as {b}:\n    put({b}, 6)",
    "{a} = {b} if n % 3 else {c}",
    "(lambda z: put(z, 1))({a})",
    "def make_{a}(v={b}):\n    put(v, 2)\n    return v\n{c} = make_{a}()",
    "if n > 1:\n    del {a}\n{a} = {b}",
]
TOP = """
import copy
log = []
def put(x, v):
    if isinstance(x, list): x.append(v)
    elif isinstance(x, dict): x['k'] = v
    elif isinstance(x, Box): x.v = v
def grow(x):
    put(x, 0)
    return x
class Box:
    def __init__(self, v): self.v = v
    def __repr__(self): return f'Box({self.v!r})'
class Ctx:
    def __init__(self, v): self.v = v
    def __enter__(self): return self.v
    def __exit__(self, *a): pass
def bump():
    global n
    n += 1
def peek():
    return [p, n]
"""
FIRST = "p = [0]\nq = {'k': 1}\nr = 'text'\ns = [p, 'x']"
LAST = "result = repr((p, q, r, s, n, log))"
names = st.sampled_from("pqrs")
statement = st.tuples(
    st.sampled_from(STATEMENTS), names, names, names, st.integers(100, 10**9)
).map(lambda t: t[0].format(a=t[1], b=t[2], c=t[3], u=t[4]))
PROGRAMS = st.lists(
    st.lists(statement, min_size=1, max_size=4).map("\n".join), min_size=1, max_size=5
)


def from_top_to_bottom(steps):
    space = {"__name__": "book"}
    for text in [TOP, "n = 1", FIRST, *steps, LAST]:
        exec(text, space)
    return space["result"]


def as_steps(steps, folder, monkeypatch):
    from kalelite.notebook.data_flow import flow_of
    from kalelite.notebook.ipynb import read_notebook
    from kalelite.notebook.tagged_pipeline import define_pipeline
    from kalelite.notebook.tags import read_tags

    cells = [("imports", TOP), ("pipeline-parameters", "n = 1"), ("step:first", FIRST)]
    cells += [(f"step:s{number}", text) for number, text in enumerate(steps)]
    cells.append(("step:last", LAST))
    entries = [
        {"cell_type": "code", "metadata": {"tags": [tag]}, "source": text} for tag, text in cells
    ]
    path = folder / "book.ipynb"
    path.write_text(json.dumps({"cells": entries, "metadata": {}, "nbformat": 4}))
    flow = flow_of(read_tags(read_notebook(str(path))))
    module = types.ModuleType("__main__")
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "__main__", module)
        exec(compile(TOP, f"{path}:In[1]", "exec"), vars(module))
        for code, statement in flow.hoisted:
            exec(compile(ast.Module([statement], []), code.file, "exec"), vars(module))
        define_pipeline(flow, vars(module), run_shell=False)
        backend = open_backend("local", home=folder, debug=True)
        backend.run(module.book.plan(), {"n": 1}).check()
        return Run.open("last", folder=folder).load("last")


@pytest.fixture(scope="module")
def patches():
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@hypothesis.settings(max_examples=15, deadline=None, database=None)
@hypothesis.given(steps=PROGRAMS)
def test_steps_give_what_the_notebook_gives(steps, tmp_path_factory, patches):
    try:
        right = from_top_to_bottom(steps)
    except Exception:
        hypothesis.reject()

    assert as_steps(steps, tmp_path_factory.mktemp("book"), patches) == right
