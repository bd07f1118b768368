"""Damage of every kind ends in a named error or in the right value, never in a wrong one."""

import contextlib
import errno
import hashlib
import json
import os
import random
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from kalelite.errors import (
    CorruptObjectError,
    MarshalError,
    MissingObjectError,
    StoreFullError,
)
from kalelite.marshal import Store

LARGE = 40_000  # float64s: more than shares a file with its manifest


@pytest.fixture(autouse=True)
def nothing_is_verified_into_the_next_test():
    yield
    for thread in threading.enumerate():
        if thread.name == "kalelite-verify":
            thread.join()


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def stored(store, kind):
    """The one file of a kind."""
    (file,) = (path for path in (store.folder / kind).rglob("*") if path.is_file())
    return file


def put(file, data):
    """Write a stored file, which nobody is meant to."""
    file.chmod(0o644)
    file.write_bytes(data)


def load_all(store, reference):
    value = store.load(reference)
    store.settle()
    return value


VALUES = {
    "plain": {"a": [1, 2.5, "text"], "b": None},
    "pickle": {(1, 2): {3, 4}, "x": (5, b"bytes")},
    "cloudpickle": lambda x: x + 1,
    "numpy": np.arange(20.0),
    "numpy-mapped": np.arange(LARGE * 1.0),
    "pickle-mapped": {"a": np.arange(LARGE * 1.0)},
    "scalar": np.float32(1.5),
    "masked": np.ma.masked_array([1, 2, 3], mask=[0, 1, 0]),
    "numpy-background": np.arange(140_000.0),
    "pickle-background": {"a": np.arange(140_000.0), "b": [(1, "x")]},
}


def flip(file, bit):
    """Change one bit where it stands."""
    with file.open("r+b") as stream:
        stream.seek(bit // 8)
        byte = stream.read(1)[0]
        stream.seek(bit // 8)
        stream.write(bytes([byte ^ 1 << bit % 8]))


@pytest.mark.parametrize("name", VALUES)
def test_no_flipped_bit_goes_unseen(store, name):
    reference = store.save(VALUES[name])
    files = [path for path in store.folder.rglob("*") if path.is_file()]
    for file in files:
        file.chmod(0o644)
    sizes = [file.stat().st_size for file in files]
    before = Store(store.folder, verify="before")
    dice = random.Random(name)
    for number in range(1_000):
        file = dice.choice(files)
        bit = dice.randrange(sizes[files.index(file)] * 8)
        flip(file, bit)
        with pytest.raises(CorruptObjectError):
            load_all(before if number % 2 else store, reference)
        with contextlib.suppress(CorruptObjectError):  # what still goes on in the background
            store.settle()
        flip(file, bit)
    load_all(store, reference)


@pytest.mark.parametrize("verify", ["before", "background"])
def test_what_is_written_to_between_its_verification_and_the_commit_is_found(tmp_path, verify):
    store = Store(tmp_path / "store", verify=verify)
    value = np.arange(200_000.0)
    reference = store.save(value)
    mapped = store.load(reference)
    store.settle()
    file = stored(store, "payloads")
    os.utime(file)  # as who stores the same value does
    store.settle()
    file.chmod(0o644)
    flip(file, 8_000_000)
    assert (mapped != value).sum() == 1  # for the step sees it
    with pytest.raises(CorruptObjectError):
        store.settle()
    retry = Store(store.folder)
    assert retry.save(value) == reference
    assert (load_all(retry, reference) == value).all()


def test_verification_can_be_left_out(tmp_path):
    store = Store(tmp_path / "store", verify="off")
    value = np.arange(200_000.0)
    reference = store.save(value)
    file = stored(store, "payloads")
    file.chmod(0o644)
    flip(file, 8_000_000)
    assert (load_all(store, reference) != value).sum() == 1


@pytest.mark.parametrize("name", ["plain", "numpy-mapped"])
@pytest.mark.parametrize(
    "harm",
    [
        lambda data: b"",
        lambda data: data[:-1],
        lambda data: data[: len(data) // 2],
        lambda data: data + b"x",
    ],
    ids=["empty", "short", "half", "trailing garbage"],
)
def test_another_size_is_found(store, name, harm):
    reference = store.save(VALUES[name])
    file = stored(store, "payloads" if "mapped" in name else "objects")
    put(file, harm(file.read_bytes()))
    with pytest.raises(CorruptObjectError, match="damaged|not a manifest"):
        load_all(store, reference)


def test_swapped_files_are_found(store):
    first, second = (store.save(np.full(LARGE, float(i))) for i in range(2))
    one, two = (path for path in (store.folder / "payloads").rglob("*.npy"))
    one.rename(store.folder / "x")
    two.rename(one)
    (store.folder / "x").rename(two)
    for reference in (first, second):
        with pytest.raises(CorruptObjectError):
            load_all(store, reference)


def test_a_manifest_without_its_payload(store):
    reference = store.save(VALUES["numpy-mapped"])
    stored(store, "payloads").unlink()
    with pytest.raises(MissingObjectError):
        store.load(reference)


def test_a_payload_without_its_manifest_is_no_value(store):
    reference = store.save(VALUES["numpy-mapped"])
    stored(store, "objects").unlink()
    with pytest.raises(MissingObjectError, match=reference):
        store.load(reference)


@pytest.mark.parametrize("kind", ["objects", "payloads"])
@pytest.mark.parametrize("thing", ["fifo", "folder", "link", "device"])
def test_what_is_no_file_is_neither_read_nor_waited_for(store, tmp_path, kind, thing):
    reference = store.save(VALUES["numpy-mapped"])
    file = stored(store, kind)
    good = tmp_path / "good"
    file.rename(good)
    if thing == "fifo":
        os.mkfifo(file)
    elif thing == "folder":
        file.mkdir()
    elif thing == "link":
        file.symlink_to(good)
    else:
        if os.geteuid():
            pytest.skip("only root makes devices")
        try:
            os.mknod(file, 0o20666, os.makedev(1, 5))
        except PermissionError:
            pytest.skip("this machine lets nobody make devices")
    with pytest.raises(CorruptObjectError, match="is not a file"):
        load_all(store, reference)


@pytest.mark.parametrize(
    "payload", ["../../../etc/passwd", "sha256-../../x", "/etc/passwd", "a\0b", 3]
)
@pytest.mark.parametrize("key", ["payload", "suffix", "links"])
def test_a_manifest_that_names_something_else_is_refused(tmp_path, payload, key):
    store = Store(tmp_path / "store", digest="sha256")
    reference = store.save(VALUES["numpy-mapped"])
    fields = json.loads(stored(store, "objects").read_bytes())
    fields[key] = [payload] if key == "links" else payload
    data = json.dumps(fields).encode() + b"\n"
    evil = f"sha256-{hashlib.sha256(data).hexdigest()}"
    file = store.folder / "objects" / evil[7:9] / evil
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(data)
    with pytest.raises(CorruptObjectError, match="not a manifest"):
        store.load(evil)
    store.load(reference)


@pytest.mark.parametrize(
    "text", ["", "x", "sha256-", "../../etc/passwd", "xxh3-" + "g" * 32, "md5-" + "0" * 32, None]
)
def test_what_is_no_reference_is_refused(store, text):
    with pytest.raises(MarshalError, match="not a reference"):
        store.load(text)


# ---- a filesystem that fails


def fail(monkeypatch, name, error, *, at=0, times=1, when=lambda *args: True):
    """Let a call of the operating system fail, from its `at`-th time on, so many times."""
    real, count = getattr(os, name), 0

    def call(*args, **kwargs):
        nonlocal count
        if not when(*args):
            return real(*args, **kwargs)
        count += 1
        if at < count <= at + times:
            raise OSError(error, os.strerror(error))
        return real(*args, **kwargs)

    monkeypatch.setattr(os, name, call)
    return lambda: count


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
@pytest.mark.parametrize("name", ["open", "write", "writev", "fsync", "replace"])
def test_a_full_disk_at_every_call(tmp_path, monkeypatch, name, code):
    value = {"a": np.arange(LARGE * 8.0), "b": [1, 2]}
    store = Store(tmp_path / "store", durable=True)
    before = store.save("before")
    for at in range(100):
        with monkeypatch.context() as patch:
            count = fail(patch, name, code, at=at)
            try:
                store.save([value, at])
            except StoreFullError as error:
                assert "bytes are needed" in str(error) or "may not be written" in str(error)
            else:
                assert count() <= at
                break
        assert not list((store.folder / "tmp").iterdir())
    assert at >= (1 if name == "write" else 2)
    assert store.load(before) == "before"
    assert store.load(store.save(value))["b"] == [1, 2]


def test_a_disk_that_is_really_full(tmp_path):
    program = """
import resource, sys
import numpy as np
from kalelite.errors import StoreFullError
from kalelite.marshal import Store
store = Store(sys.argv[1])
kept = store.save([1])
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    store.save(np.ones(1_000_000))
except StoreFullError as error:
    print(error)
assert store.load(kept) == [1]
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "s")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "8,000,128 bytes are needed" in done.stdout
    assert "marshal_volume_size" in done.stdout
    assert not list((tmp_path / "s" / "tmp").iterdir())


def test_a_write_error_is_not_taken_for_a_full_disk(store, monkeypatch):
    store.save(1)
    fail(monkeypatch, "write", errno.EIO)
    with pytest.raises(MarshalError, match="cannot write") as caught:
        store.save(2)
    assert not isinstance(caught.value, StoreFullError)


def test_a_short_write_is_continued(store, monkeypatch):
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, memoryview(data)[:1000]))
    monkeypatch.setattr(os, "writev", lambda fd, batch: real(fd, batch[0][:50]))
    for value in (np.arange(LARGE), np.arange(300_000)):
        assert (load_all(store, store.save(value)) == value).all()


def test_values_of_thousands_of_pieces(store):
    value = [np.full(130, number) for number in range(3_000)]
    assert all((one == two).all() for one, two in zip(load_all(store, store.save(value)), value))


def test_a_folder_that_cannot_be_synced_is_tolerated_but_a_file_is_not(tmp_path, monkeypatch):
    store = Store(tmp_path / "store", durable=True)

    def folder(fd):
        return os.path.isdir(f"/proc/self/fd/{fd}")

    with monkeypatch.context() as patch:
        fail(patch, "fsync", errno.EINVAL, times=100, when=folder)
        assert store.load(store.save([1])) == [1]
    with monkeypatch.context() as patch:
        fail(patch, "fsync", errno.EIO, times=100, when=folder)
        with pytest.raises(MarshalError):
            store.save([2])
    fail(monkeypatch, "fsync", errno.EINVAL, when=lambda fd: not folder(fd))
    with pytest.raises(MarshalError):
        store.save([3])


@pytest.mark.parametrize("kind", ["objects", "payloads"])
def test_a_name_that_shows_up_late_is_waited_for(tmp_path, kind):
    waited = []
    store = Store(tmp_path / "store", durable=True, sleep=lambda seconds: wake(seconds))
    reference = store.save(VALUES["numpy-mapped"])
    file = stored(store, kind)
    file.rename(tmp_path / "away")

    def wake(seconds):
        waited.append(seconds)
        if sum(waited) > 5:
            (tmp_path / "away").rename(file)

    assert store.load(reference).sum() == VALUES["numpy-mapped"].sum()
    assert 5 < sum(waited) < 8


def test_a_name_that_never_shows_up_is_given_up(tmp_path):
    waited = []
    store = Store(tmp_path / "store", durable=True, sleep=waited.append)
    with pytest.raises(MissingObjectError):
        store.load("xxh3-" + "0" * 32)
    assert 30 <= sum(waited) < 33


def test_a_stale_handle_is_opened_again(store, monkeypatch):
    reference = store.save([1])
    fail(monkeypatch, "open", errno.ESTALE)
    assert store.load(reference) == [1]


def test_a_filesystem_that_cannot_map_is_read(store, monkeypatch):
    reference = store.save(VALUES["numpy-mapped"])

    def refuse(*args, **kwargs):
        raise OSError(errno.ENODEV, "no mapping here")

    monkeypatch.setattr("mmap.mmap", refuse)
    value = load_all(store, reference)
    assert (value == VALUES["numpy-mapped"]).all()
    assert value.flags.writeable


# ---- other users


def as_nobody(work):
    """Run `work` in a child that is not root; what it returned or raised, as text."""
    if os.geteuid():
        pytest.skip("only root can become someone else")
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setgid(65534)
        os.setuid(65534)
        try:
            text = repr(work())
        except BaseException as error:
            text = f"{type(error).__name__}: {error}"
        os.write(write, text.encode()[:4000])
        os._exit(0)
    os.close(write)
    os.waitpid(pid, 0)
    with os.fdopen(read) as pipe:
        return pipe.read()


@pytest.fixture
def public(tmp_path):
    """A store folder that other users can reach; pytest's own folders are private."""
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.geteuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o055)
    folder = tmp_path / "public"
    folder.mkdir()
    folder.chmod(0o777)
    return folder


@pytest.mark.parametrize("umask", [0o077, 0o777, 0o000])
def test_another_users_umask(public, umask):
    store = Store(public / "store")
    store.folder.mkdir()
    store.folder.chmod(0o777)
    file = public / "f"
    file.write_text("x")
    old = os.umask(umask)
    try:
        references = [store.save(value) for value in ([1], np.arange(LARGE), file)]
    finally:
        os.umask(old)
    assert as_nobody(lambda: Store(store.folder).load(references[0])) == "[1]"
    assert as_nobody(lambda: int(Store(store.folder).load(references[1]).sum())) == str(
        sum(range(LARGE))
    )
    assert as_nobody(lambda: Store(store.folder).load(references[2]).read_text()) == "'x'"
    assert as_nobody(lambda: Store(store.folder).load(Store(store.folder).save((1, 2)))) == "(1, 2)"


def test_a_store_that_may_not_be_written(public):
    store = Store(public / "store")
    reference = store.save([1])
    assert "StoreFullError" in as_nobody(lambda: Store(store.folder).save([2]))
    assert as_nobody(lambda: Store(store.folder).load(reference)) == "[1]"


def test_a_file_that_may_not_be_read(public):
    store = Store(public / "store")
    reference = store.save([1])
    stored(store, "objects").chmod(0)
    answer = as_nobody(lambda: Store(store.folder).load(reference))
    assert answer.startswith("MarshalError") and "cannot be read: Permission denied" in answer


def test_files_handed_to_another_user_are_out_of_reach(public):
    store = Store(public / "store")
    folder = public / "data"
    folder.mkdir()
    (folder / "f").write_text("good")
    reference = store.save(folder)

    def harm():
        given = Store(store.folder).load(reference)
        results = []
        for attack in (
            lambda: (given / "f").write_text("x"),
            (given / "f").unlink,
            (given / "new").touch,
            lambda: (given / "f").chmod(0o777),
        ):
            try:
                attack()
                results.append("done")
            except PermissionError:
                results.append("refused")
        return results

    assert as_nobody(harm) == "['refused', 'refused', 'refused', 'refused']"
    assert (store.load(reference) / "f").read_text() == "good"


# ---- writers that die or race

KILLER = """
import os, random, signal, sys, time
import numpy as np
from kalelite.marshal import Store

folder, kills = sys.argv[1], int(sys.argv[2])
dice = random.Random(kills)

def write(number):
    store = Store(folder, durable=number % 3 == 2)
    while True:
        number += 1
        store.save({"n": number % 50, "a": np.full(3_000 * (number % 4), number % 50)})
        store.save([number % 50])

def start(number):
    pid = os.fork()
    if pid == 0:
        write(number)
    return pid

for value in ({"n": 0, "a": np.zeros(9_000)}, [0]):  # what is imported late is imported now
    Store(folder).save(value)
writers = [start(number) for number in range(3)]
for kill in range(kills):
    time.sleep(dice.uniform(0, 0.02))
    os.kill(writers[kill % 3], signal.SIGKILL)
    os.waitpid(writers[kill % 3], 0)
    writers[kill % 3] = start(kill)
for pid in writers:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
"""


def check_all(store):
    """Load whatever is under a name, as any reader might; how many values, how many bad ones."""
    good = bad = 0
    for path in list((store.folder / "objects").rglob("*-*")):
        try:
            value = load_all(store, path.name)
        except MarshalError:
            bad += 1
            continue
        number = value[0] if isinstance(value, list) else value["n"]
        assert isinstance(value, list) or (value["a"] == number).all()
        good += 1
    return good, bad


@pytest.mark.parametrize("kills", [100, pytest.param(1_000, marks=pytest.mark.slow)])
def test_writers_killed_at_any_point_leave_only_whole_values(tmp_path, kills):
    store = Store(tmp_path / "store")
    killer = subprocess.Popen([sys.executable, "-c", KILLER, str(store.folder), str(kills)])
    try:
        reads = 0
        while killer.poll() is None:
            good, bad = check_all(store)
            assert bad == 0
            reads += good
    finally:
        killer.wait()
    assert killer.returncode == 0
    assert reads > kills
    good, bad = check_all(store)
    assert good > 0
    assert bad == 0
    orphans = len(list((store.folder / "tmp").iterdir()))
    assert store.sweep(older_than=-60).count == orphans


def test_many_writers_of_one_value(store):
    value = {"a": np.arange(LARGE)}
    references, errors = set(), []

    def work():
        try:
            for _ in range(10):
                references.add(store.save(value))
                load_all(store, next(iter(references)))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert len(references) == 1


def test_a_retry_heals_a_torn_object(store):
    reference = store.save(VALUES["numpy-mapped"])
    for kind in ("objects", "payloads"):
        file = stored(store, kind)
        put(file, file.read_bytes()[:100])
    assert store.save(VALUES["numpy-mapped"]) == reference
    load_all(store, reference)


def test_a_mapped_value_outlives_its_replacement_and_removal(store):
    reference = store.save(VALUES["numpy-mapped"])
    value = store.load(reference)
    store.save(VALUES["numpy-mapped"])
    store.collect([], older_than=-60)
    assert (value == VALUES["numpy-mapped"]).all()
    with contextlib.suppress(MissingObjectError):  # it was cleaned away before it was verified
        store.settle()


def test_without_threads_large_values_are_digested_and_verified_all_the_same(store, monkeypatch):
    def refuse(_thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    value = np.arange(140_000.0)
    reference = store.save(value)

    assert np.array_equal(load_all(store, reference), value)

    payload = stored(store, "payloads")
    put(payload, payload.read_bytes()[:-1] + b"!")
    with pytest.raises(CorruptObjectError):
        load_all(store, reference)
