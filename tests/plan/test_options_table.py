"""The option table speaks of every option, and its examples are true."""

from __future__ import annotations

import dataclasses

import pytest

from kalelite.authoring.pipeline import pipeline
from kalelite.authoring.step import step
from kalelite.plan.graph import ContainerDef, Plan, StepDef, Task
from kalelite.plan.options import (
    PipelineOptions,
    StepOptions,
    pipeline_options,
    step_options,
)
from kalelite.plan.options import values as option_values
from kalelite.plan.options.table import (
    PIPELINE_ROWS,
    ROWS,
    option_table,
    without_meaning_here,
)


def test_every_option_has_one_row():
    fields = [field.name for field in dataclasses.fields(StepOptions)]
    assert sorted(row.option for row in ROWS) == sorted(fields)


def test_every_option_of_a_pipeline_has_one_row():
    fields = [field.name for field in dataclasses.fields(PipelineOptions)]
    rows = [row.option for row in PIPELINE_ROWS]
    # The name and the description are the pipeline's own.
    assert sorted(rows) == sorted([*fields, "name", "description"])


@pytest.mark.parametrize(("decorator", "rows"), [(step, ROWS), (pipeline, PIPELINE_ROWS)])
def test_help_names_every_option(decorator, rows):
    assert [row.option for row in rows if f"``{row.option}``" not in decorator.__doc__] == []


def test_the_table_is_markdown_with_one_line_for_each_option():
    lines = option_table().splitlines()
    assert len(lines) == len(ROWS) + 2
    assert len({line.replace("\\|", "").count("|") for line in lines}) == 1


WHOLE = [row for row in ROWS if "…" not in row.example]


@pytest.mark.parametrize("row", WHOLE, ids=lambda row: row.option)
def test_what_the_table_shows_is_accepted(row):
    names = {name: getattr(option_values, name) for name in option_values.__all__}
    for example in row.example.replace(", 0.5", " or 0.5").split(" or "):
        _, problems = step_options(**{row.option: eval(example, dict(names))})
        assert not problems


def test_what_has_no_meaning_here_is_named_once():
    options, _ = step_options(cpu=1, image="python:3.11", labels={"a": "b"})
    step = StepDef("s", len, None)
    plan = Plan("p", tuple(Task(f"s-{n}", step, {}, (), options=options) for n in range(3)))
    assert without_meaning_here(plan) == ("image", "labels")


def test_what_a_pipeline_says_in_vain_is_named_too():
    options, _ = pipeline_options(marshal_volume=True, marshal_path="/data", experiment="e")
    assert without_meaning_here(Plan("p", options=options)) == ("marshal_volume", "marshal_path")
    options, _ = pipeline_options(marshal_volume=False)
    assert without_meaning_here(Plan("p", options=options)) == ()


def test_some_options_have_a_meaning_for_containers_only():
    options, _ = step_options(pull_policy="Never", labels={"a": "b"}, cpu_limit=2)
    inside = Task("inside", ContainerDef("c", "busybox"), {}, (), options=options)
    outside = Task("outside", StepDef("s", len, None), {}, (), options=options)
    assert without_meaning_here(Plan("p", (inside,))) == ("labels",)
    assert without_meaning_here(Plan("p", (inside, outside))) == (
        "cpu_limit",
        "labels",
        "pull_policy",
    )
