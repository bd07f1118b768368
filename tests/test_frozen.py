"""The data classes of the package: they are as `dataclasses` would make them."""

import copy
import dataclasses
import pickle

import pytest

from kalelite.frozen import entity, frozen, mutable


@frozen
class Place:
    path: str
    lines: list = dataclasses.field(default_factory=list)
    at: float = dataclasses.field(default=0.0, kw_only=True)


@frozen
class Named(Place):
    name: str = ""


@entity
class Thing:
    size: int


@mutable
class Counter:
    start: int
    _seen: int = dataclasses.field(default=7, init=False)

    def __post_init__(self):
        self.start += 1


def test_fields_are_given_by_position_by_name_and_by_their_defaults():
    named = Named("a", [1], "b", at=2.0)

    assert (named.path, named.lines, named.name, named.at) == ("a", [1], "b", 2.0)
    assert Place("a").lines == []
    assert Place("a").lines is not Place("a").lines
    assert repr(Named("a")) == "Named(path='a', lines=[], at=0.0, name='')"
    with pytest.raises(TypeError, match=r"Place\.__init__\(\) missing 1 required"):
        Place()


def test_a_frozen_one_equals_what_has_its_fields_and_an_entity_itself_alone():
    thing = Thing(1)

    assert Place("a") == Place("a") != Named("a")
    assert hash(Thing(1)) and thing == thing != Thing(1)


def test_what_is_no_argument_has_its_default_and_the_class_its_say():
    counter = Counter(1)
    counter._seen += 1

    assert (counter.start, counter._seen, Counter(1)._seen) == (2, 8, 7)


@pytest.mark.parametrize("value", [Named("a", [1], "b"), Place("a")])
def test_copies_are_equal(value):
    assert copy.deepcopy(value) == pickle.loads(pickle.dumps(value)) == value
    assert dataclasses.replace(value, path="c").path == "c"
