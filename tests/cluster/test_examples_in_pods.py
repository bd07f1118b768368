"""Every example of the conformance suite, each of its containers in a pod."""

from __future__ import annotations

import sys

import pytest
from in_pods import run_in_pods
from lab import IMAGE
from test_conformance import journal_of
from test_examples import EXAMPLES, NEEDS, hold_records

pytest.importorskip("kfp", reason="needs kfp: pip install 'kalelite[kfp]'")

if sys.version_info[:2] != (3, 11):
    pytest.skip("the pods' Python is 3.11, and steps run on that of who compiled them",
                allow_module_level=True)  # fmt: skip

pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example(path, given, runs, tmp_path, request):
    image = request.getfixturevalue("science_image") if path.stem in NEEDS else IMAGE
    if path.stem == "settings":  # what its options name
        runs.claim("claim")
        runs.kit("kubectl", "label", "node", "--all", "--overwrite", "disk=ssd")
    program, plan, arguments, journal = given(path, "pods")
    ran = run_in_pods(plan, arguments, runs, tmp_path, image=image, folders=[journal])

    assert ran.seen.state == getattr(program, "STATE", "succeeded"), ran.seen.log
    if hasattr(program, "EXPECTED"):
        assert ran.seen.value == program.EXPECTED
    hold_records(program, ran)
    for name, value in getattr(program, "METRICS", {}).items():
        task, _, metric = name.rpartition(".")
        found = [one["value"] for one in ran.records[task].metrics if one["name"] == metric]
        assert found[-1] == pytest.approx(value)
    for name, kind in getattr(program, "ARTIFACTS", {}).items():
        task, _, title = name.rpartition(".")
        (found,) = [one for one in ran.records[task].artifacts if one["name"] == title]
        assert found["kind"] == kind
    if hasattr(program, "JOURNAL"):
        assert journal_of(journal) == program.JOURNAL
