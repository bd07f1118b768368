"""What pip and an importer see of the package."""

from __future__ import annotations

from importlib.metadata import metadata, version
from pathlib import Path

import kalelite

ROOT = Path(__file__).resolve().parent.parent


def test_the_version_is_the_distribution_s():
    assert kalelite.__version__ == version("kalelite")


def test_the_metadata_names_licence_and_python():
    fields = metadata("kalelite")

    assert fields["Requires-Python"] == ">=3.11"
    assert "Apache-2.0" in (fields.get("License-Expression") or fields.get("License") or "")


def test_the_extras_are_there():
    extras = set(metadata("kalelite").get_all("Provides-Extra"))

    assert {"kfp", "notebook", "test", "dev", "examples"} <= extras


def test_type_checkers_find_the_marker():
    assert (Path(kalelite.__file__).parent / "py.typed").is_file()


def test_the_readme_has_both_commands():
    text = (ROOT / "README.md").read_text("utf-8")

    assert "<!-- ci: run -->" in text
    assert "<!-- ci: test -->" in text
