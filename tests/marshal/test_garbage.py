"""Freeing what no run refers to, beside steps that are running."""

import contextlib
import os
import subprocess
import sys
import time

import numpy as np
import pytest

from kalelite.errors import MissingObjectError, StoreFullError
from kalelite.marshal import Store


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def age(store, seconds=7_200):
    """Make everything in the store old."""
    then = time.time() - seconds
    for folder, folders, files in os.walk(store.folder):
        for name in folders + files:
            os.utime(os.path.join(folder, name), (then, then), follow_symlinks=False)


def stored_files(store):
    return sorted(str(p.relative_to(store.folder)) for p in store.folder.rglob("*") if p.is_file())


def test_what_is_kept_stays_whole_and_the_rest_goes(store, tmp_path):
    (tmp_path / "f").write_text("x")
    (tmp_path / "g").write_text("y")
    kept = [store.save(v) for v in (1, np.arange(50_000), {"p": tmp_path / "f"})]
    gone = [store.save(v) for v in (2, np.arange(60_000), tmp_path / "g")]
    age(store)
    cleaned = store.collect(kept)
    assert cleaned.count == 3 + 1 + 1
    assert cleaned.size > 60_000 * 8
    assert store.load(kept[0]) == 1
    assert store.load(kept[1]).sum() == sum(range(50_000))
    assert store.load(kept[2])["p"].read_text() == "x"
    for reference in gone:
        with pytest.raises(MissingObjectError):
            store.load(reference)
    store.settle()


def test_what_two_values_share_stays_while_one_is_kept(store):
    array = np.arange(50_000)
    one, two = store.save(array), store.save(array[:])
    assert one == two
    age(store)
    store.collect([two])
    store.load(one)


def test_what_is_young_stays_though_no_record_names_it_yet(store):
    reference = store.save([1])
    assert store.collect([]).count == 0
    assert store.load(reference) == [1]


def test_what_is_saved_again_is_young_again(store, tmp_path):
    (tmp_path / "f").write_text("x")
    values = ([1], np.arange(50_000), tmp_path / "f")
    for value in values:
        store.save(value)
    age(store)
    references = [store.save(value) for value in values]
    store.collect([])
    for reference in references:
        store.load(reference)
    store.settle()


def test_an_input_that_is_handed_on_is_young_again_without_being_written(store, monkeypatch):
    store.save(np.arange(500_000))
    reference = store.save(np.arange(500_000))
    value = store.load(reference)
    age(store)
    monkeypatch.setattr("kalelite.marshal.blobs.BlobStore.write_large", None)
    assert store.save(value) == reference
    monkeypatch.undo()
    store.collect([])
    store.load(reference)
    store.settle()


def test_an_input_that_was_changed_is_not_taken_for_itself(store):
    value = store.load(store.save(np.arange(500_000)))
    value[0] = 7
    assert store.load(store.save(value))[0] == 7
    store.settle()


def test_a_mapped_value_can_still_be_read_after_it_was_cleaned(store):
    reference = store.save(np.arange(500_000))
    value = store.load(reference)
    store.settle()
    age(store)
    store.collect([])
    assert value.sum() == sum(range(500_000))


def test_a_damaged_manifest_does_not_stop_the_cleaning(store):
    reference, other = store.save([1]), store.save([2])
    file = next((store.folder / "objects").rglob(reference))
    file.chmod(0o644)
    file.write_bytes(b"x")
    age(store)
    assert store.collect([reference, "xxh3-" + "0" * 32]).count == 1
    assert other not in "".join(stored_files(store))


def test_the_sweep_takes_old_orphans_only(store, tmp_path):
    store.save(1)
    orphan, young = store.folder / "tmp" / "1-dead-0", store.folder / "tmp" / "2-live-0"
    orphan.write_bytes(b"half")
    (store.folder / "tmp" / "3-dead-1" / "content").mkdir(parents=True)
    (store.folder / "tmp" / "3-dead-1" / "content").chmod(0o555)
    age(store, 100_000)
    young.write_bytes(b"half")
    assert store.sweep().count == 2
    assert stored_files(store)[-1] == "tmp/2-live-0"


def test_the_sweep_leaves_private_copies_that_are_in_use(store, tmp_path):
    if os.geteuid():
        pytest.skip("only root is handed private copies")
    (tmp_path / "f").write_text("x")
    reference = store.save(tmp_path / "f")
    given = store.load(reference)
    age(store, 100_000)
    Store(store.folder).sweep()
    assert given.read_text() == "x"
    store.close()
    assert not given.exists()


def test_an_empty_store_is_clean(store):
    assert store.sweep().count == 0
    assert store.collect([]).count == 0


def test_a_store_that_may_not_be_written_is_told(store, monkeypatch):
    store.save(1)
    age(store)

    def refuse(*args):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "rename", refuse)
    with pytest.raises(StoreFullError, match="may not be written"):
        store.collect([])


CLEANER = """
import sys
from kalelite.marshal import Store
store = Store(sys.argv[1])
print("ready", flush=True)
while True:
    store.collect([], older_than=3_600)
"""


def test_a_value_that_is_saved_again_while_it_is_cleaned_away_is_there(store, tmp_path):
    file = tmp_path / "f"
    file.write_text("x")
    values = [[1, 2], np.arange(100_000.0), {"a": np.arange(20_000.0), "b": (1,)}, file]
    cleaner = subprocess.Popen(
        [sys.executable, "-c", CLEANER, str(store.folder)], stdout=subprocess.PIPE
    )
    try:
        cleaner.stdout.readline()
        for number in range(400):
            value = values[number % 4]
            writer = Store(store.folder)
            reference = writer.save(value)
            loaded = Store(store.folder).load(reference)
            assert loaded.read_text() == "x" if value is file else str(loaded) == str(value)
            manifest = writer.describe(reference)
            names = [("objects", reference), ("payloads", manifest.payload + manifest.suffix)]
            names += [("files", link) for link in manifest.links]
            for kind, name in names:  # old again: the cleaner may take it
                digits = name.partition("-")[2][:2]
                with contextlib.suppress(FileNotFoundError):
                    os.utime(store.folder / kind / digits / name, (0, 0))
    finally:
        cleaner.kill()
        cleaner.wait()
        cleaner.stdout.close()
