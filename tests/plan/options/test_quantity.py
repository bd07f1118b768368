"""Kubernetes quantities: what is accepted, and what a wrong one is answered with."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalelite.errors import UsageError
from kalelite.plan.options import quantity


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("10", 10),
        (10, 10),
        ("1k", 1000),
        ("1Ki", 1024),
        ("1.5Gi", 1.5 * 2**30),
        ("1e3", 1000),
        ("1E3", 1000),
        ("1E", 10**18),
        ("1Ei", 2**60),
        ("100m", Decimal("0.1")),
        ("250u", Decimal("0.00025")),
        ("5n", Decimal("5e-9")),
        ("2.", 2),
        (".5", Decimal("0.5")),
        ("+3M", 3_000_000),
        (0.5, Decimal("0.5")),
        (Decimal("2.5"), Decimal("2.5")),
    ],
)
def test_parse(text, number):
    assert quantity.parse(text) == number


@pytest.mark.parametrize(
    ("wrong", "said", "suggested"),
    [
        (
            "10GB",
            "'GB' is not a suffix",
            "Write '10G' (powers of 1000) or '10Gi' (powers of 1024).",
        ),
        ("10gb", "'gb' is not a suffix", "'10G' (powers of 1000) or '10Gi'"),
        ("10 Gi", "'Gi' is not a suffix", "Write '10Gi'."),
        ("10Gi ", "is not a suffix", "Write '10Gi'."),
        (" 10Gi", "is not a quantity", "Write '10Gi'."),
        ("1K", "'K' is not a suffix", "Write '1k' (powers of 1000) or '1Ki' (powers of 1024)."),
        ("8gi", "'gi' is not a suffix", "Write '8Gi'."),
        ("8GiB", "'GiB' is not a suffix", "Write '8Gi'."),
        ("-1Gi", "is negative", "Write '1Gi'."),
        ("", "is not a quantity", "'8Gi'"),
        ("lots", "is not a quantity", "'8Gi'"),
        ("1e30", "more than a Kubernetes quantity can hold", "8Ei"),
        ("8Ei", "more than a Kubernetes quantity can hold", "8Ei"),
        ("０５Gi", "is not a quantity", "'8Gi'"),
        ("4 cores", "'cores' is not a suffix", "Ki, Mi, Gi"),
        ("1x", "'x' is not a suffix", "Ki, Mi, Gi"),
        ("10\n", "is not a quantity", "Write '10'."),
        (None, "not a quantity but of type NoneType", "'8Gi'"),
        (True, "not a quantity but of type bool", "'8Gi'"),
        (float("nan"), "is not a quantity", "a number"),
        (float("inf"), "is not a quantity", "a number"),
        ([1], "not a quantity but of type list", "'8Gi'"),
    ],
)
def test_wrong_quantities_are_answered_with_what_to_write(wrong, said, suggested):
    with pytest.raises(UsageError) as caught:
        quantity.parse(wrong, name="memory")
    assert caught.value.message.startswith(f"memory={wrong!r}")
    assert said in caught.value.message
    assert suggested in caught.value.hint


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ("100m", "Write '100Mi' or '100Gi'."),
        ("10", "Write '10Mi' or '10Gi'."),
        (8, "Write '8Mi' or '8Gi'."),
        ("4k", "Write '4Mi' or '4Gi'."),
        ("0", "Leave the option out"),
    ],
)
def test_an_amount_of_memory_below_a_mebibyte_is_a_forgotten_suffix(value, hint):
    with pytest.raises(UsageError) as caught:
        quantity.memory(value)
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("value", "text"),
    [(2, "2"), (0.5, "500m"), (0.1, "100m"), ("1.5", "1.5"), ("250m", "250m"), (1.25, "1250m")],
)
def test_cpu_is_spelled_as_kubernetes_does(value, text):
    assert quantity.cpu(value) == text


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("-1", "negative"),
        ("0", "less than a thousandth"),
        (0, "less than a thousandth"),
        ("2Gi", "amount of bytes"),
        ("500n", "less than a thousandth"),
        ("1.0005", "finer than a thousandth"),
        ("8000", "8000 cores"),
        ("2G", "2000000000 cores"),
    ],
)
def test_wrong_cpu(value, said):
    with pytest.raises(UsageError, match=said):
        quantity.cpu(value)


def test_sizes_are_rounded_up():
    assert quantity.size_of("1.5Gi") == 1610612736
    assert quantity.size_of("1.2") == 2


@given(st.integers(1, 2**40), st.sampled_from(["", "k", "Ki", "M", "Mi"]))
def test_whole_numbers_round_trip(number, suffix):
    factor = {"": 1, "k": 1000, "Ki": 1024, "M": 10**6, "Mi": 2**20}[suffix]
    assert quantity.size_of(f"{number}{suffix}") == number * factor


@given(st.text(max_size=8))
def test_any_text_is_a_quantity_or_a_usage_error(text):
    try:
        number = quantity.parse(text)
    except UsageError as error:
        assert error.hint
    else:
        assert number >= 0
