"""The picture of a run in a page that may be light or dark."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest

from kalelite import pipeline, step
from kalelite.picture.any_ground import ON_ANY_GROUND, state_colour
from kalelite.picture.card_states import SYMBOLS, card_state
from kalelite.picture.diagram import diagram_of
from kalelite.picture.svg import svg_of


@step
def load(n):
    return n


@step
def fit(x):
    return x


@pipeline
def study(n: int = 3):
    fit(load(n))


@pytest.mark.parametrize("state", ["running", "failed", "succeeded", "cached", "not run"])
def test_a_card_has_the_symbol_and_the_colour_of_its_state(state):
    states = {"load": card_state([(state, 1.5)])}
    svg = svg_of(diagram_of(study.plan()), states=states, style=ON_ANY_GROUND)

    assert f".is-{state.replace(' ', '-')} .card{{fill:{state_colour(state)}}}" in svg
    assert f">{SYMBOLS[state]} " in svg


def test_such_a_picture_has_no_ground_and_no_mode():
    svg = svg_of(diagram_of(study.plan()), style=ON_ANY_GROUND)

    assert ElementTree.fromstring(svg) is not None
    assert "paper" not in svg
    assert "prefers-color-scheme" not in svg
