"""Notebooks that tests write, and the command that runs them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "cli"))
from face_shell import Shell

sys.path.pop(0)


def notebook(*cells, **metadata):
    """The document of a notebook: texts, or pairs of tags and text; ``# md`` begins markdown."""
    made = []
    for number, cell in enumerate(cells):
        tags, text = cell if isinstance(cell, tuple) else ("", cell)
        kind = "markdown" if text.startswith("# md\n") else "code"
        entry = {"cell_type": kind, "id": f"c{number}", "metadata": {}}
        if tags:
            entry["metadata"]["tags"] = tags.split()
        if kind == "code":
            entry |= {"execution_count": None, "outputs": []}
        made.append({**entry, "source": text.removeprefix("# md\n")})
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {
        "cells": made,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}, **metadata},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


@pytest.fixture
def shell(tmp_path):
    """The command, in a folder of its own."""
    return Shell(tmp_path)


@pytest.fixture
def book(tmp_path):
    """Write a notebook of these cells into the shell's folder."""

    def write(*cells, name="book.ipynb", **metadata):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(notebook(*cells, **metadata)), "utf-8")
        return path

    return write
