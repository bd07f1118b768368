"""Names: slugs, and what Kubernetes allows."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalelite.errors import UsageError
from kalelite.plan import names


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("train", "train"),
        ("train_model", "train-model"),
        ("Train Model!", "train-model"),
        ("__init__", "init"),
        ("été", "ete"),
        ("..", None),
        ("🚀", None),
        ("模型", None),
        ("x" * 200, None),
    ],
)
def test_slug(text, slug):
    result = names.slug(text)
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", result)
    assert len(result) <= 40
    if slug is not None:
        assert result == slug
    else:
        assert re.search(r"[0-9a-f]{8}$", result)


@given(st.text())
def test_every_text_has_a_slug(text):
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", names.slug(text))


def test_slugs_that_lost_something_stay_apart():
    assert names.slug("🚀") != names.slug("🎉")
    assert names.slug("a" * 50) != names.slug("a" * 51)


def test_unique_names_are_numbered():
    assert names.unique("a", set()) == "a"
    assert names.unique("a", {"a", "a-2"}) == "a-3"
    assert names.unique("a", {"a"}, separator="_") == "a_2"


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("RWO", "ReadWriteOnce"),
        ("readwriteonce", "ReadWriteOnce"),
        ("rwm", "ReadWriteMany"),
        ("ReadOnlyMany", "ReadOnlyMany"),
        ("rwop", "ReadWriteOncePod"),
    ],
)
def test_access_modes(text, mode):
    assert names.access_mode(text) == mode


def test_a_wrong_access_mode_is_answered_with_the_right_ones():
    with pytest.raises(UsageError, match="is not an access mode") as caught:
        names.access_mode("rw")
    assert "'ReadWriteOnce'" in caught.value.hint


@pytest.mark.parametrize("name", ["a.b-c.d", "a" * 253, "0"])
def test_object_names(name):
    assert names.object_name(name, name="claim") == name


@pytest.mark.parametrize("name", ["a" * 254, "a..b", ".a", "a_b"])
def test_wrong_object_names(name):
    with pytest.raises(UsageError):
        names.object_name(name, name="claim")
