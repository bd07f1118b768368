"""The table of options: documented, shown as it is accepted, and spelled for type checkers."""

from __future__ import annotations

import dataclasses
import inspect
import os
import textwrap
import typing
from pathlib import Path

import pytest

from kalelite import container_step
from kalelite.authoring.container.container_step import ContainerStep
from kalelite.authoring.decorators import pipeline, step
from kalelite.authoring.pipeline import Pipeline
from kalelite.authoring.step import Step
from kalelite.backends.kubeflow.compile.compile_settings import Settings
from kalelite.plan.options import (
    PIPELINE_OPTIONS,
    STEP_OPTIONS,
    CompileKeywords,
    ContainerKeywords,
    PipelineKeywords,
    StepKeywords,
    step_options,
)
from kalelite.plan.options import values as option_values
from kalelite.plan.options.treatment import Handled, treatments

TABLES = {"step": STEP_OPTIONS, "pipeline": PIPELINE_OPTIONS}


def names(options):
    return {option.name for option in options}


def test_the_typed_keywords_are_the_options_of_the_table():
    assert typing.get_type_hints(StepKeywords).keys() == names(STEP_OPTIONS)
    assert typing.get_type_hints(PipelineKeywords).keys() == names(PIPELINE_OPTIONS)


def test_the_typed_settings_of_a_compilation_are_those_that_it_takes():
    settings = {field.name for field in dataclasses.fields(Settings)}
    # What is made for a run, and what it takes from earlier ones, is of that run.
    made = {"clones", "run", "code_map", "cache", "refresh", "earlier", "given", "given_by"}
    assert typing.get_type_hints(CompileKeywords).keys() == settings - made
    assert typing.get_type_hints(Pipeline.compile)["settings"] == typing.Unpack[CompileKeywords]


def test_a_container_step_has_all_options_but_those_that_it_fixes():
    fixed = {option.name for option in STEP_OPTIONS if option.container}
    own = {"name"}  # a parameter of its own
    assert typing.get_type_hints(ContainerKeywords).keys() == names(STEP_OPTIONS) - fixed - own


@pytest.mark.parametrize(
    ("function", "keywords"),
    [
        (step, StepKeywords),
        (Step.options, StepKeywords),
        (pipeline, PipelineKeywords),
        (container_step, ContainerKeywords),
        (ContainerStep.options, ContainerKeywords),
    ],
)
def test_the_decorators_take_the_typed_keywords(function, keywords):
    assert function.__annotations__["options"] == f"Unpack[{keywords.__name__}]"


def test_no_other_spelling_stands_for_two_options_or_hides_one():
    for options in TABLES.values():
        others = [each for option in options for each in (*option.aliases, *option.near)]
        assert len(set(others)) == len(others)
        assert names(options).isdisjoint(others)


def test_an_option_without_a_treatment_cannot_be_registered():
    every = {option.name: Handled() for option in STEP_OPTIONS}
    assert treatments(STEP_OPTIONS, every) is every

    with pytest.raises(
        TypeError, match=r"without a treatment: \['cpu'\]; unknown options: \['spu'\]"
    ):
        treatments(STEP_OPTIONS, {**{k: v for k, v in every.items() if k != "cpu"}, "spu": 1})


def help_of(options):
    """The options as they stand in a docstring."""
    return "\n".join(
        textwrap.fill(
            f"``{each.name}={each.example}``: {each.help}",
            width=100,
            initial_indent=" " * 8,
            subsequent_indent=" " * 12,
            break_long_words=False,
            break_on_hyphens=False,
        )
        for each in options
    )


@pytest.mark.parametrize(
    ("decorator", "options"), [(step, STEP_OPTIONS), (pipeline, PIPELINE_OPTIONS)]
)
def test_help_is_the_table_s(decorator, options):
    file = Path(inspect.getsourcefile(decorator))
    text = file.read_text("utf-8")
    start = text.index(f"        ``{options[0].name}={options[0].example}``")
    end = text.index("\n\n    Returns", start)
    if os.environ.get("KALELITE_REGENERATE"):
        file.write_text(text[:start] + help_of(options) + text[end:], "utf-8")
        return

    assert text[start:end] == help_of(options)


WHOLE = [option for option in STEP_OPTIONS if "…" not in option.example]


@pytest.mark.parametrize("option", WHOLE, ids=lambda option: option.name)
def test_what_the_table_shows_is_accepted(option):
    known = vars(option_values)
    for example in option.example.split(" or "):
        _, problems = step_options(**{option.name: eval(example, dict(known))})
        assert not problems
