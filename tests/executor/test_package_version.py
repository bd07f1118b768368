"""What stands for the version of an installed package in the key of a result."""

from __future__ import annotations

import importlib
import os

import pytest

from kalelite.executor.package_version import package_version


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder in which packages are installed by writing them."""
    monkeypatch.syspath_prepend(tmp_path)

    def install(name, text, at):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        os.utime(path, (at, at))
        importlib.invalidate_caches()

    return install


def test_a_package_has_the_version_of_its_distribution():
    assert package_version("pytest") == pytest.__version__


def test_a_namespace_changes_with_each_package_in_it(site):
    site("acme/one/__init__.py", "V = 1", at=1)
    site("acme/deep/two/__init__.py", "V = 1", at=1)
    site("acme/three.py", "V = 1", at=1)
    seen = [package_version("acme")]
    for name in ("one/__init__.py", "deep/two/__init__.py", "three.py", "four/__init__.py"):
        site(f"acme/{name}", "V = 2", at=86_400)
        seen.append(package_version("acme"))

    assert len(set(seen)) == 5
    assert seen[1].startswith("installed 1970-01-02 00:00:00")
    assert package_version("acme") == seen[-1]


def test_what_is_beside_it_does_not_count(site):
    site("acme/one/__init__.py", "V = 1", at=1)
    before = package_version("acme")
    site("acme/one/__pycache__/x.pyc", "", at=2)
    site("acme/one/notes.txt", "", at=2)

    assert package_version("acme") == before


def test_a_package_of_another_name_than_its_distribution(site):
    site("nobody_knows/__init__.py", "V = 1", at=1)
    before = package_version("nobody_knows")
    site("nobody_knows/__init__.py", "V = 2", at=2)

    assert package_version("nobody_knows") != before
    assert package_version("no_such_package_at_all") == ""
