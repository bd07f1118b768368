"""Paths bring their files along: adopted whole, handed out so that the store is out of reach."""

import errno
import os
from pathlib import Path

import pytest

from kalelite.errors import CorruptObjectError, StoreFullError, UnmarshallableError
from kalelite.marshal import Store


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def tree(folder):
    """Everything below a folder, as data."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = os.fsencode(path.relative_to(folder))
        if path.is_symlink():
            found[name] = ("link", os.readlink(path))
        elif path.is_dir():
            found[name] = "folder"
        else:
            found[name] = (path.read_bytes(), bool(path.stat().st_mode & 0o100))
    return found


def test_a_file_comes_back_with_its_name(store, tmp_path):
    file = tmp_path / "a b.csv"
    file.write_text("x\n")
    back = store.load(store.save(file))
    assert (back.name, back.read_text()) == ("a b.csv", "x\n")
    assert back != file


def test_a_file_outlives_the_original(store, tmp_path):
    file = tmp_path / "f"
    file.write_text("one")
    reference = store.save(file)
    file.write_text("two")
    assert store.load(reference).read_text() == "one"


def test_a_folder_comes_back_whole(store, tmp_path):
    folder = tmp_path / "data"
    (folder / "empty").mkdir(parents=True)
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "deep" / "er" / "x.bin").write_bytes(b"\0" * 10)
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o755)
    (folder / "latest").symlink_to("deep/er")
    (folder / "nowhere").symlink_to("gone")
    with open(os.fsencode(folder) + b"/\xff\n\xfe", "wb") as file:
        file.write(b"odd name")
    (folder / "ünï\U0001f40d 'quoted\"").write_text("")
    back = store.load(store.save(folder))
    assert tree(back) == tree(folder)
    assert back.name == "data"


def test_a_link_that_leads_out_is_followed(store, tmp_path):
    (tmp_path / "blob").write_text("content")
    folder = tmp_path / "snapshot"
    folder.mkdir()
    (folder / "model").symlink_to("../blob")
    (folder / "again").symlink_to(tmp_path / "blob")
    back = store.load(store.save(folder))
    assert [(p.name, p.is_symlink(), p.read_text()) for p in sorted(back.iterdir())] == [
        ("again", False, "content"),
        ("model", False, "content"),
    ]


def test_a_link_that_leads_to_a_parent_is_refused(store, tmp_path):
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    (folder / "up").symlink_to(tmp_path / "a")
    with pytest.raises(UnmarshallableError, match="up is a link to a folder that it stands in"):
        store.save(folder)


def test_a_sparse_file_stays_sparse(store, tmp_path):
    file = tmp_path / "sparse"
    with file.open("wb") as stream:
        stream.seek(50_000_000)
        stream.write(b"end")
        stream.truncate(80_000_000)
    if file.stat().st_blocks * 512 > 1_000_000:
        pytest.skip("this filesystem has no sparse files")
    back = store.load(store.save(file))
    assert back.stat().st_size == 80_000_000
    assert back.stat().st_blocks * 512 < 1_000_000
    assert back.read_bytes() == file.read_bytes()


def test_the_digest_says_content_names_and_executable_bit_only(store, tmp_path):
    references = []
    for place in ("one", "two"):
        folder = tmp_path / place / "data"
        folder.mkdir(parents=True)
        for name in ("a", "b") if place == "one" else ("b", "a"):
            (folder / name).write_text(name)
            os.utime(folder / name, (len(references), 5))
            (folder / name).chmod(0o640 if place == "one" else 0o664)
        references.append(store.save(folder))
    assert references[0] == references[1]
    (tmp_path / "two" / "data" / "a").chmod(0o755)
    assert store.save(tmp_path / "two" / "data") != references[0]


def test_a_path_inside_a_value_brings_its_file_along(store, tmp_path):
    file = tmp_path / "f"
    file.write_text("x")
    reference = store.save({"files": [file, file], "none": Path("not/there")})
    file.unlink()
    back = store.load(reference)
    assert back["files"][0].read_text() == "x"
    assert back["none"] == Path("not/there")
    assert len(store.describe(reference).links) == 1


def test_a_path_to_nothing_is_a_name(store):
    for path in (Path("no/such/file"), Path("x" * 5000), Path("nul\0byte")):
        assert store.load(store.save(path)) == path


@pytest.mark.parametrize(
    "make", [os.mkfifo, lambda path: os.mknod(path, 0o140666)], ids=["fifo", "socket"]
)
def test_what_is_no_file_is_refused(store, tmp_path, make):
    folder = tmp_path / "d"
    folder.mkdir()
    make(folder / "odd")
    for path in (folder / "odd", folder):
        with pytest.raises(UnmarshallableError, match="odd is a (FIFO|socket)"):
            store.save({"p": path})


@pytest.mark.parametrize("path", ["/", "/proc", "."])
def test_a_whole_volume_or_what_holds_the_store_is_refused(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnmarshallableError, match="is not stored"):
        Store(tmp_path / ".kalelite" / "store").save(Path(path))


def test_a_consumer_cannot_damage_the_store(store, tmp_path):
    file = tmp_path / "f"
    file.write_text("good")
    reference = store.save(file)
    given = store.load(reference)
    try:
        given.write_text("evil")
    except PermissionError:
        pass
    assert store.load(reference).read_text() == "good"
    store.settle()


def test_a_step_that_writes_to_a_large_input_is_told(store, tmp_path, monkeypatch):
    monkeypatch.setattr("kalelite.marshal.folders.COPIED", 10)
    file = tmp_path / "f"
    file.write_text("more than ten bytes")
    given = store.load(store.save(file))
    store.settle()
    if os.geteuid():
        pytest.skip("only root can write to it at all")
    given.write_text("other")
    with pytest.raises(CorruptObjectError, match="this step wrote to its input"):
        store.settle()


def test_what_was_handed_out_is_not_copied_again(store, tmp_path, monkeypatch):
    monkeypatch.setattr("kalelite.marshal.folders.COPIED", 0)
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "f").write_text("x")
    reference = store.save(folder)
    monkeypatch.setattr("kalelite.marshal.folders.Adoption", None)
    assert store.save(store.load(reference)) == reference


@pytest.mark.parametrize("harm", ["flip", "remove", "truncate", "fifo", "link"])
def test_a_damaged_file_is_found(store, tmp_path, harm):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "f").write_bytes(b"0123456789")
    (folder / "g").symlink_to("f")
    reference = store.save(folder)
    stored = next((store.folder / "files").rglob("data"))
    stored.chmod(0o755)
    (stored / "f").chmod(0o644)
    if harm == "flip":
        (stored / "f").write_bytes(b"0123456788")
    elif harm == "truncate":
        (stored / "f").write_bytes(b"012345678")
    elif harm == "link":
        (stored / "g").unlink()
        (stored / "g").symlink_to("/etc/passwd")
    else:
        (stored / "f").unlink()
        if harm == "fifo":
            os.mkfifo(stored / "f")
    with pytest.raises(CorruptObjectError):
        store.load(reference)
        store.settle()
    assert store.save(folder) == reference  # heals
    assert (store.load(reference) / "g").read_bytes() == b"0123456789"


@pytest.mark.parametrize("parts", [1, pytest.param(20, marks=pytest.mark.slow)])
def test_many_small_files(store, tmp_path, parts):
    folder = tmp_path / "many"
    for part in range(parts):
        (folder / str(part)).mkdir(parents=True)
        for number in range(1000):
            (folder / str(part) / str(number)).write_bytes(b"%d" % number)
    back = store.load(store.save(folder))
    assert sum(1 for _ in back.rglob("*")) == parts * 1001
    store.settle()


def test_private_copies_go_away(store, tmp_path):
    file = tmp_path / "f"
    file.write_text("x")
    store.load(store.save(file))
    store.close()
    assert not list((store.folder / "tmp").iterdir())


@pytest.mark.parametrize("mode", [0o444, 0o644])
def test_a_step_that_goes_on_writing_to_its_own_file_does_not_write_to_the_store(
    store, tmp_path, mode
):
    file = tmp_path / "out.csv"
    file.write_text("good")
    file.chmod(mode)
    reference = store.save(file)
    file.chmod(0o644)
    file.write_text("other")
    assert store.load(reference).read_text() == "good"


def test_a_store_behind_a_link(tmp_path):
    (tmp_path / "volume").mkdir()
    (tmp_path / "link").symlink_to("volume")
    store = Store(tmp_path / "link")
    file = tmp_path / "f"
    file.write_text("x")
    assert store.load(store.save(file)).read_text() == "x"
    for path in ("link", "volume", "volume/tmp", "link/tmp", ""):
        with pytest.raises(UnmarshallableError, match="holds the marshal store itself"):
            store.save(tmp_path / path)


@pytest.mark.parametrize("code", [errno.EROFS, errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("call", ["mkdir", "write"])
def test_a_file_is_read_where_there_is_no_room_for_a_copy(store, tmp_path, monkeypatch, call, code):
    file = tmp_path / "f"
    file.write_text("x")
    reference = store.save(file)

    def refuse(*args, **kwargs):
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, refuse)
        given = store.load(reference)
    assert given.read_text() == "x"
    store.settle()


@pytest.mark.parametrize("code", [errno.EROFS, errno.ENOSPC])
@pytest.mark.parametrize("call", ["mkdir", "write"])
def test_a_file_that_has_no_room_in_the_store_is_told(store, tmp_path, monkeypatch, call, code):
    file = tmp_path / "f"
    file.write_text("x")

    def refuse(*args, **kwargs):
        raise OSError(code, os.strerror(code), str(store.folder))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, refuse)
        with pytest.raises(StoreFullError):
            store.save(file)
    assert not list(store.folder.glob("tmp/*"))
    assert store.load(store.save(file)).read_text() == "x"


def test_a_file_of_a_given_folder_is_handed_on_alone(store, tmp_path, monkeypatch):
    folder = tmp_path / "data"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "best").write_text("x")
    for most in (1 << 30, 0):
        monkeypatch.setattr("kalelite.marshal.folders.COPIED", most)
        given = store.load(store.save(folder))
        back = store.load(store.save({"best": given / "deep" / "best"}))["best"]
        assert (back.name, back.read_text()) == ("best", "x")


@pytest.mark.parametrize("edit", ["write", "add", "remove", "mode", "rename", "empty"])
def test_what_is_done_to_a_given_folder_is_handed_on(store, tmp_path, edit):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "a").write_text("a")
    given = store.load(store.save(folder))
    match edit:
        case "write":
            (given / "a").write_text("b")
        case "add":
            (given / "new").mkdir()
        case "remove":
            (given / "a").unlink()
        case "mode":
            (given / "a").chmod(0o755)
        case "rename":
            (given / "a").rename(given / "b")
        case "empty":
            os.truncate(given / "a", 0)
    back = store.load(store.save([given]))[0]
    assert tree(back) == tree(given) != tree(folder)


def test_a_file_that_is_added_to_a_stored_folder_is_found(store, tmp_path, monkeypatch):
    folder = tmp_path / "data"
    folder.mkdir()
    reference = store.save(folder)
    monkeypatch.setattr("kalelite.marshal.folders.COPIED", -1)
    given = store.load(reference)
    given.chmod(0o755)
    (given / "odd").touch()
    with pytest.raises(CorruptObjectError, match="this step wrote to its input"):
        store.settle()
    with pytest.raises(CorruptObjectError, match="odd"):
        Store(store.folder).load(reference)


def test_a_path_means_what_the_system_makes_of_it(store, tmp_path, monkeypatch):
    (tmp_path / "far" / "away").mkdir(parents=True)
    (tmp_path / "far" / "x").write_text("right")
    (tmp_path / "x").write_text("wrong")
    (tmp_path / "link").symlink_to("far/away")
    monkeypatch.chdir(tmp_path)
    back = store.load(store.save([Path("link/../x"), Path("link/..")]))
    assert (back[0].read_text(), back[1].name) == ("right", "far")


@pytest.mark.parametrize("path", ["/proc/self/status", "/proc/cpuinfo", "/sys/kernel/mm/ksm/run"])
def test_a_file_that_does_not_tell_its_size_is_read_whole(store, path):
    if not os.path.exists(path):
        pytest.skip("this system has none")
    lines = Path(path).read_text().splitlines()
    back = store.load(store.save(Path(path))).read_text().splitlines()
    assert (back[0], len(back)) == (lines[0], len(lines))


def test_paths_of_one_value_keep_to_each_other(store, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("one", "two"):
        Path(name).mkdir()
        Path(name, "f").write_text("same")
    inside = Path("one/f")
    value = {"f": inside, "again": inside.absolute(), "top": Path("one"), "other": Path("two/f")}
    back = store.load(store.save(value))
    back["f"].write_text("changed")
    assert back["again"] == back["f"] == back["top"] / "f"
    assert back["other"].read_text() == "same"
