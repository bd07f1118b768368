"""Random programs give by kalelite, in every way, what they give in plain Python.

``KALELITE_PROGRAMS=500 pytest tests/oracle/test_generated_programs.py -n auto`` tries 500 scripts of
six pipelines each; ``KALELITE_SEED`` is the first seed, ``KALELITE_PIPELINES`` how many each has.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from generated_programs import program
from oracle_case import Case, fault, run_case

FIRST = int(os.environ.get("KALELITE_SEED", "0"))
FLOWS = int(os.environ.get("KALELITE_PIPELINES", "6"))
COUNT = int(os.environ.get("KALELITE_PROGRAMS", "6"))


def case_of(script: str, folder: Path, way: str, *, prints: bool) -> Case:
    source = folder / f"{way}.py"
    source.write_text(script, "utf-8")
    return Case(way, source, (), (way,), ({"prints": prints},))


@pytest.mark.parametrize("way", ["local", "debug", "compiled"])
@pytest.mark.parametrize("seed", range(FIRST, FIRST + COUNT))
def test_a_program_gives_what_it_gives_in_plain_python(seed, way, images, tmp_path):
    if way == "compiled":
        pytest.importorskip("kfp", reason="needs kfp: pip install 'kalelite[kfp]'")
    script = program(seed, FLOWS, leaves=way != "compiled").script()
    outcomes = []
    for one in ("plain", way):
        base = tmp_path / one
        base.mkdir()
        outcomes += run_case(
            case_of(script, base, one, prints=way != "local"), one, base, images[True]
        )
    plain, outcome = outcomes

    wrong = fault(way, {"exit": "any"}, outcome, plain)
    assert not wrong, f"seed {seed}: {wrong}\n{outcome.text[-3000:]}"
