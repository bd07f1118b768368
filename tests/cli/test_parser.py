"""The command line as data."""

from __future__ import annotations

import pytest

from kalelite.cli.parser import VERBS, parse
from kalelite.cli.perform import perform
from kalelite.cli.script_arguments import picture_format
from kalelite.errors import UsageError


def test_a_script_and_nothing_else():
    request = parse(["train.py"])

    assert (request.name, request.options.script, request.options.jobs) == ("run", "train.py", None)


@pytest.mark.parametrize(
    "argv",
    [
        ["train.py", "-p", "a=1", "--jobs", "3", "--debug"],
        ["--jobs", "3", "-p", "a=1", "train.py", "--debug"],
        ["--debug", "--jobs=3", "train.py", "--param=a=1"],
    ],
)
def test_options_may_stand_before_and_after_the_script(argv):
    options = parse(argv).options

    assert options.script == "train.py"
    assert options.parameters == {"a": "1"}
    assert (options.jobs, options.debug, options.no_cache) == ("3", True, False)


def test_what_follows_two_dashes_is_the_script_s_own():
    request = parse(["train.py", "--", "--jobs", "3", "--", "--kfp"])

    assert request.script_args == ("--jobs", "3", "--", "--kfp")
    assert request.options.jobs is None


@pytest.mark.parametrize("verb", ["graph", "check", "sweep"])
def test_verbs_of_a_script_hand_it_its_arguments(verb):
    assert parse([verb, "train.py", "--", "--epochs"]).script_args == ("--epochs",)


def test_a_value_may_hold_anything():
    options = parse(["a.py", "-p", "x=a=b c", "-p", "y=", "-p", "z=-3"]).options

    assert options.parameters == {"x": "a=b c", "y": "", "z": "-3"}


@pytest.mark.parametrize(
    ("argv", "format"),
    [
        (["--graph", "train.py"], "text"),
        (["train.py", "--graph"], "text"),
        (["train.py", "--graph", "svg"], "svg"),
        (["--graph=mermaid", "train.py"], "mermaid"),
        (["graph", "train.py"], "text"),
        (["graph", "train.py", "--format", "html"], "html"),
    ],
)
def test_the_format_of_a_picture_may_be_left_out(argv, format):
    options = parse(argv).options

    assert (options.script, picture_format(options)) == ("train.py", format)


@pytest.mark.parametrize("verb", VERBS)
def test_a_script_named_like_a_verb_is_reached_by_its_path(verb):
    assert parse([f"./{verb}"]).options.script == f"./{verb}"
    assert parse([f"{verb}.py"]).options.script == f"{verb}.py"


@pytest.mark.parametrize(
    ("argv", "message", "hint"),
    [
        (["a.py", "--job", "3"], "unknown option --job", "--jobs"),
        (["a.py", "--epochs", "3"], "unknown option --epochs", "-p epochs=..."),
        (["a.py", "b.py"], "unexpected argument 'b.py'", "after --"),
        (["shwo", "last"], "no script and no verb is called 'shwo'", "kalelite show"),
        (["--debug", "runs"], "runs is a verb and stands first", "./runs"),
        (["runs", "--", "x"], "runs no script", ""),
        (["config", "a.py", "--", "x"], "config runs no script", ""),
        (["a.py", "-p", "x"], "has no value", "name=value"),
        (["a.py", "-p", "=1"], "has no value", "name=value"),
        (["a.py", "-p", "x=1", "-p", "x=2"], "-p x is given twice", "once"),
        (["a.py", "--output", "xml"], "invalid choice: 'xml'", "--help"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_a_way_out(argv, message, hint):
    with pytest.raises(UsageError) as error:
        parse(argv)

    assert message in error.value.message
    assert hint in error.value.hint


@pytest.mark.parametrize(
    ("argv", "message", "hint"),
    [
        (["a.py", "--dry-run"], "--dry-run goes with --kfp", "--check"),
        (["a.py", "--check", "--graph"], "cannot be given together", ""),
        (["a.py", "-o", "x.svg"], "-o goes with --graph", ""),
        (["a.py", "--check", "--jobs", "2"], "--jobs", "Leave one"),
        (["a.py", "--kfp", "--debug"], "--debug", "Leave one"),
        (["a.py", "--check", "--no-cache"], "--no-cache", "Leave one"),
    ],
)
def test_options_that_would_be_ignored_beside_each_other_are_refused(argv, message, hint):
    with pytest.raises(UsageError) as error:
        perform(parse(argv), argv)

    assert message in error.value.message
    assert hint in error.value.hint
