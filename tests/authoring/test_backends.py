"""Backends by their names."""

from __future__ import annotations

import pytest

from kalelite.authoring.backends import BACKENDS, open_backend
from kalelite.errors import UsageError


def test_a_name_that_no_backend_has():
    with pytest.raises(UsageError, match="there is no backend 'nowhere'") as error:
        open_backend("nowhere")

    assert error.value.hint == f"There are {', '.join(BACKENDS)}."


def test_a_setting_that_a_backend_does_not_have(tmp_path):
    with pytest.raises(UsageError, match="'nosuch' is not a setting of the backend 'local'"):
        open_backend("local", home=tmp_path, nosuch=1)


def test_another_error_of_a_backend_is_its_own(monkeypatch):
    monkeypatch.setitem(BACKENDS, "odd", "operator:add")

    with pytest.raises(TypeError, match="add"):
        open_backend("odd")
