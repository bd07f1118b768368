"""What the pods of a run know of each other."""

from __future__ import annotations

import os

import pytest

from kalelite.backends.kubeflow.follow.step_output import record_in
from kalelite.backends.kubeflow.pod.run_records import RunRecords
from kalelite.errors import ClusterError, UsageError
from kalelite.executor.record_file import commit
from kalelite.executor.spec import FailureReport, Record


@pytest.fixture
def records(tmp_path):
    return RunRecords(tmp_path / ".kalelite" / "runs" / "r1" / "tasks")


def test_a_step_of_another_user_may_write_too(records):
    mask = os.umask(0o077)
    try:
        folder = records.make("work[1]")
    finally:
        os.umask(mask)
    home = records.folder.parents[2]
    for each in (home, home / "store", home / "runs", records.folder, folder):
        assert each.stat().st_mode & 0o777 == 0o777, each
    assert (folder / "events.jsonl").stat().st_mode & 0o666 == 0o666


def test_a_volume_that_cannot_be_written_to_is_told_with_what_to_do(tmp_path):
    (tmp_path / "home").write_text("no folder")
    with pytest.raises(UsageError, match="may not write to") as caught:
        RunRecords(tmp_path / "home" / "runs" / "r1" / "tasks").make("work")
    assert "security_context=" in caught.value.hint


def test_a_volume_without_the_room_is_told_before_the_first_task(records):
    records.verify_volumes({}, 1)
    with pytest.raises(
        ClusterError, match=r"bytes free, less than the 1,000,000,000,000,000"
    ) as it:
        records.verify_volumes({}, 10**15)
    assert "kalelite clean --store" in it.value.hint

    records.make("work")
    records.verify_volumes({}, 10**15)


def test_instances_come_in_the_order_of_the_items(records):
    for name in ("a[10]", "a[9]", "a[9][1]", "ab[1]", "b"):
        records.make(name)
    assert records.instances("a") == ["a[9]", "a[9][1]", "a[10]"]
    assert records.instances("a", (9,)) == ["a[9]", "a[9][1]"]
    assert records.instances("b") == ["b"]


def test_how_an_instance_ended(records):
    for name in ("good", "gone", "left", "none"):
        records.make(name)
    commit(Record("good", "succeeded"), records.folder / "good" / "record.json")
    records.event("gone", "running", attempt=1)
    records.event("left", "skipped", reason="a condition before it was false")
    with (records.folder / "left" / "events.jsonl").open("a") as file:
        file.write('{"torn')
    assert records.end("good")[0] == "succeeded"
    assert records.end("gone")[0] == "lost"
    assert records.end("left") == ("skipped", "a condition before it was false")
    assert records.end("none") == ("", "")


def test_a_step_tells_its_end_in_the_log(records, capsys):
    failure = FailureReport("TimeoutError", "it took longer than its timeout of 3 s")
    outputs = {"output": {"ref": "r", "native": 4.5}}

    for record in (
        Record("fit", "failed", 2, failure=failure),
        Record("fit", "succeeded", outputs=outputs),
    ):
        records.tell(record)
        assert record_in(capsys.readouterr().out) == record
