"""Places in all the kinds of sources that pipelines come from."""

from __future__ import annotations

import linecache
import runpy

import pytest

from kalelite.authoring.decorators import pipeline, step

SCRIPT = """\
from kalelite.authoring.decorators import pipeline
from kalelite.authoring.decorators import step

@step
def make(x):
    return x

@pipeline
def wrong():
    größe = make(1); make(größe + 1)
"""


@step
def make(x):
    return x


def caret(problem):
    """The text that the caret stands under."""
    where = problem.where
    return where.text[where.column : where.end_column]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_script_with_and_without_a_byte_order_mark(tmp_path, encoding):
    path = tmp_path / "script.py"
    path.write_text(SCRIPT, encoding=encoding)
    (problem,) = runpy.run_path(str(path))["wrong"].draft()[1]
    assert (problem.where.file, problem.where.line) == (str(path), 10)
    assert caret(problem) == "größe + 1"


def test_a_latin_1_script(tmp_path):
    path = tmp_path / "script.py"
    path.write_bytes(("# -*- coding: latin-1 -*-\n" + SCRIPT).encode("latin-1"))
    (problem,) = runpy.run_path(str(path))["wrong"].draft()[1]
    assert caret(problem) == "größe + 1"


def test_a_notebook_cell():
    """IPython keeps the source of a cell in linecache under a name of its own."""
    name = "<ipython-input-1-abc>"
    linecache.cache[name] = (len(SCRIPT), None, SCRIPT.splitlines(True), name)
    space = {"__name__": "__main__"}
    exec(compile(SCRIPT, name, "exec"), space)
    (problem,) = space["wrong"].draft()[1]
    assert caret(problem) == "größe + 1"


def test_code_without_source_still_has_a_line():
    space = {"__name__": "__main__"}
    exec(compile(SCRIPT, "<nowhere>", "exec"), space)
    (problem,) = space["wrong"].draft()[1]
    assert (problem.where.line, problem.where.text) == (10, "")
    assert "<nowhere>:10" in problem.render()
    assert space["wrong"].where.line == 8


def test_a_pipeline_and_a_step_of_other_modules(tmp_path, monkeypatch):
    (tmp_path / "my_steps_for_test.py").write_text(
        "from kalelite.authoring.decorators import step\n\n@step\ndef grow(x):\n    return x\n"
    )
    (tmp_path / "my_pipe_for_test.py").write_text(
        "import my_steps_for_test\nfrom kalelite.authoring.decorators import pipeline\n\n"
        "@pipeline\ndef pipe():\n    my_steps_for_test.grow(1) + 1\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    import my_pipe_for_test

    plan, (problem,) = my_pipe_for_test.pipe.draft()
    assert problem.where.file.endswith("my_pipe_for_test.py")
    assert caret(problem) == "my_steps_for_test.grow(1) + 1"
    assert plan.tasks[0].step.where.file.endswith("my_steps_for_test.py")


def test_the_place_of_a_call_over_several_lines():
    def body():
        make(
            1,
        )

    where = pipeline(body).plan().tasks[0].where
    assert where.text.strip() == "make("
    assert where.text[where.column : where.end_column] == "make("


def test_calls_in_one_line_are_told_apart():
    def body():
        make(make(1))
        make(2)

    tasks = pipeline(body).plan().tasks
    texts = [t.where.text[t.where.column : t.where.end_column] for t in tasks]
    assert texts == ["make(1)", "make(make(1))", "make(2)"]


def test_where_of_a_step_is_its_def_below_the_decorators():
    where = make.definition.where
    assert where.text.startswith("def make")
    assert where.text[where.column : where.end_column] == "make"
