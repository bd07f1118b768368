"""Every case gives in every way what plain Python gives, or what its header says."""

from __future__ import annotations

import functools
import importlib.util
import os
import tempfile
from pathlib import Path

import pytest
from oracle_case import HERE, Case, Outcome, can_leave_root, cases, fault, run_case

CASES = {case.name: case for case in cases()}


@functools.cache
def plainly(name: str) -> list[Outcome]:
    """What plain Python gives."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o755)
        return run_case(CASES[name], "plain", Path(folder))


def skip_what_is_missing(case: Case, way: str) -> None:
    for package in case.needs:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"needs {package}: pip install {package}")
    if case.other_user and os.geteuid() == 0 and not can_leave_root():
        pytest.skip("needs a user that is not root: run the tests as one")
    if way == "compiled":
        pytest.importorskip("kfp", reason="needs kfp: pip install 'kalelite[kfp]'")


def rows() -> list:
    lines = (HERE / "not_yet.txt").read_text("utf-8").splitlines()[1:]
    not_yet = {(name, way) for name, *ways in map(str.split, lines) for way in ways}
    wrong = pytest.mark.xfail(reason="not right yet", strict=False)
    return [
        pytest.param(case.name, way, marks=wrong if (case.name, way) in not_yet else ())
        for case in CASES.values()
        for way in case.ways
    ]


@pytest.mark.parametrize(("name", "way"), rows())
def test_case(name, way, images, tmp_path):
    case = CASES[name]
    skip_what_is_missing(case, way)
    plain = plainly(name) if "plain" in case.ways else [None] * len(case.runs)

    outcomes = plain
    if way != "plain":
        outcomes = run_case(case, way, tmp_path, images[bool(case.needs)])

    for run, outcome, right in zip(case.runs, outcomes, plain):
        wrong = fault(way, run, outcome, right)
        assert not wrong, f"{wrong}\n{outcome.text[-4000:]}"
