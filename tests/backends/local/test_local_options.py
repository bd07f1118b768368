"""What a run on this machine does with each option."""

from __future__ import annotations

import ast
from pathlib import Path

import kalelite
from kalelite.backends.local.local_options import (
    LOCAL_STEP_OPTIONS,
    ForContainers,
    without_effect,
)
from kalelite.plan.graph import ContainerDef, Plan, StepDef, Task
from kalelite.plan.options import pipeline_options, step_options
from kalelite.plan.options.treatment import Handled

PACKAGE = Path(kalelite.__file__).parent
READERS = ("authoring", "backends/local", "capture", "engine", "executor", "picture")


def test_what_a_run_here_honours_is_read_by_some_code():
    read = {
        node.attr
        for room in READERS
        for file in (PACKAGE / room).rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Attribute)
    }
    honoured = {
        name
        for name, treatment in LOCAL_STEP_OPTIONS.items()
        if isinstance(treatment, Handled | ForContainers)
    }
    assert honoured - read == set()


def test_an_option_without_effect_is_named_once():
    options, _ = step_options(cpu=1, image="python:3.11", labels={"a": "b"})
    step = StepDef("s", len, None)
    plan = Plan("p", tuple(Task(f"s-{n}", step, {}, (), options=options) for n in range(3)))
    assert without_effect(plan) == ["image", "labels"]


def test_an_option_of_the_pipeline_without_effect_is_named_too():
    options, _ = pipeline_options(marshal_volume=True, marshal_path="/data", experiment="e")
    assert without_effect(Plan("p", options=options)) == ["marshal_volume", "marshal_path"]
    options, _ = pipeline_options(marshal_volume=False)
    assert without_effect(Plan("p", options=options)) == []


def test_some_options_have_an_effect_for_containers_only():
    options, _ = step_options(pull_policy="Never", labels={"a": "b"}, cpu_limit=2)
    inside = Task("inside", ContainerDef("c", "busybox"), {}, (), options=options)
    outside = Task("outside", StepDef("s", len, None), {}, (), options=options)
    assert without_effect(Plan("p", (inside,))) == ["labels"]
    assert without_effect(Plan("p", (inside, outside))) == [
        "cpu_limit",
        "labels",
        "pull_policy",
    ]
