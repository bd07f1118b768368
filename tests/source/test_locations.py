"""Places in the user's source."""

from __future__ import annotations

import inspect

from hypothesis import given
from hypothesis import strategies as st

from kalelite.source import locations


@given(st.text(alphabet="aé漢😀 "), st.integers(0, 20))
def test_columns_in_bytes_and_in_characters_are_inverse(text, column):
    column = min(column, len(text))
    in_bytes = locations.bytes_before(text, column)
    assert in_bytes == len(text[:column].encode())
    assert locations.characters_before(text, in_bytes) == column


def test_a_frame_is_placed_at_the_call_that_it_makes():
    def place():
        return locations.of_frame(inspect.currentframe().f_back)

    text, where = "é", place()
    assert text == "é"
    assert where.text[where.column : where.end_column] == "place()"


def test_a_function_is_placed_at_its_name_below_its_decorators():
    def same(function):
        return function

    @same
    @same
    def target():
        pass

    where = locations.of_function(target)
    assert where.text[where.column : where.end_column] == "target"
    assert locations.of_function(len) is None


def test_the_one_return_of_a_function_is_found():
    def one(x):
        def inner():
            return 1

        return x + inner()

    def two(x):
        if x:
            return 1
        return 2

    where = locations.of_return(one)
    assert where.text[where.column : where.end_column] == "x + inner()"
    assert locations.of_return(two) is None
