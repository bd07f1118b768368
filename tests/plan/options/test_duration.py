"""Durations: numbers of seconds, and text with units."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalelite.errors import UsageError
from kalelite.plan.options import duration


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (90, 90),
        (0.5, 0.5),
        ("90", 90),
        ("30s", 30),
        ("2m", 120),
        ("1h30m", 5400),
        ("1d", 86400),
        ("250ms", 0.25),
    ],
)
def test_durations(value, seconds):
    assert duration.seconds(value) == seconds


@pytest.mark.parametrize(
    "value", ["", "soon", "1 h", "-5", "5x", None, True, [], float("inf"), 0, -1, "0s", "٣s", 1e12]
)
def test_what_is_no_duration(value):
    with pytest.raises(UsageError) as caught:
        duration.seconds(value, name="timeout")
    assert caught.value.message.startswith("timeout=")
    assert caught.value.hint


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.25, "250ms"), (1, "1s"), (90, "1m30s"), (3600, "1h"), (90000.5, "1d1h0.5s")],
)
def test_spelling(seconds, text):
    assert duration.spell(seconds) == text


@given(st.integers(1, 10**7))
def test_what_is_spelled_reads_back(seconds):
    assert duration.seconds(duration.spell(seconds)) == seconds
