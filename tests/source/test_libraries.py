"""Which files are a library's."""

from __future__ import annotations

import json

import numpy as np
import pytest

import kalelite
from kalelite.source.libraries import is_library


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (json.__file__, True),
        (np.__file__, True),
        (kalelite.__file__, True),
        ("/other/machine/lib/python3.12/site-packages/kfp/dsl.py", True),
        (__file__, False),
        ("<stdin>", False),
        ("/home/user/site-packages.py", False),
    ],
)
def test_a_file_of_python_or_of_an_installed_package_is_a_librarys(file, expected):
    assert is_library(file) is expected
