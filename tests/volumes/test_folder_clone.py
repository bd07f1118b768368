"""Clones of folders: the same in every way that counts, and writing to one leaves the other alone."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import stat
import subprocess
import sys

import pytest

from kalelite.errors import UsageError
from kalelite.volumes.claimed_folder import claimed, sweep
from kalelite.volumes.folder_clone import clone_folder, keep_changed, states_of

MB = 1 << 20


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    (folder / "data" / "deep").mkdir(parents=True)
    (folder / "data" / "deep" / "a.txt").write_text("a")
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o750)
    (folder / "empty").mkdir()
    return folder


@pytest.fixture
def clone(source, tmp_path):
    def make(**options):
        target = tmp_path / "clones" / f"clone{len(list(tmp_path.glob('clones/*')))}"
        return target, clone_folder(str(source), str(target), **options)

    return make


def test_content_modes_times_and_empty_folders_are_the_originals(source, clone):
    os.utime(source / "data" / "deep" / "a.txt", ns=(1, 1_600_000_000_123_456_789))
    os.utime(source / "data", ns=(1, 1_500_000_000_000_000_000))
    target, made = clone()

    assert (target / "data" / "deep" / "a.txt").read_text() == "a"
    assert stat.S_IMODE((target / "run.sh").stat().st_mode) == 0o750
    assert (target / "empty").is_dir()
    for name in ("data", "data/deep/a.txt"):
        assert (target / name).stat().st_mtime_ns == (source / name).stat().st_mtime_ns
    assert (made.files, made.left_out) == (2, ())


def test_writing_to_a_clone_in_place_leaves_the_original(source, clone):
    target, _ = clone()
    with (target / "data" / "deep" / "a.txt").open("r+") as file:
        file.write("b")

    assert (source / "data" / "deep" / "a.txt").read_text() == "a"


def test_holes_stay_holes(source, clone):
    with (source / "sparse").open("wb") as file:
        file.write(b"begin")
        file.seek(64 * MB)
        file.write(b"end")
    target, made = clone()

    assert (target / "sparse").stat().st_size == 64 * MB + 3
    assert (target / "sparse").stat().st_blocks * 512 < 2 * MB
    assert (target / "sparse").read_bytes() == (source / "sparse").read_bytes()
    assert made.size > 64 * MB


def test_a_large_file_is_copied_whole(source, clone):
    (source / "large").write_bytes(os.urandom(5 * MB + 7))
    target, _ = clone()

    assert (target / "large").read_bytes() == (source / "large").read_bytes()


def test_links_into_the_folder_lead_into_the_clone(source, clone, tmp_path):
    (tmp_path / "outside").mkdir()
    links = {
        "relative": "data/deep",
        "absolute": str(source / "data" / "deep"),
        "out": "../outside",
        "out-absolute": str(tmp_path / "outside"),
        "dangling": "nowhere",
    }
    for name, led in links.items():
        (source / name).symlink_to(led)
    target, _ = clone()

    led = {name: os.readlink(target / name) for name in links}
    assert led == {
        "relative": "data/deep",
        "absolute": str(target / "data" / "deep"),
        "out": str(tmp_path / "outside"),
        "out-absolute": str(tmp_path / "outside"),
        "dangling": "nowhere",
    }


def test_two_names_of_one_file_are_two_names_in_the_clone(source, clone):
    os.link(source / "run.sh", source / "data" / "again.sh")
    target, made = clone()

    assert (target / "run.sh").samefile(target / "data" / "again.sh")
    assert not (target / "run.sh").samefile(source / "run.sh")
    assert made.files == 3


def test_what_is_no_file_is_left_out_and_named(source, clone):
    os.mkfifo(source / "fifo")
    with socket.socket(socket.AF_UNIX) as server, contextlib.chdir(source):
        server.bind("socket")
        target, made = clone()

    assert sorted(made.left_out) == ["fifo is a FIFO", "socket is a socket"]
    assert not (target / "fifo").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything: run as another user")
def test_what_may_not_be_read_is_left_out_and_named(source, clone):
    (source / "lost+found").mkdir(0o000)

    _, made = clone()

    assert made.left_out == ("lost+found cannot be read (Permission denied)",)


def test_homes_stay_out_and_a_virtual_environment_is_a_link(source, clone):
    for name in (".kalelite/runs", "other-home/store", ".venv/lib", "conda/conda-meta"):
        (source / name).mkdir(parents=True)
    (source / ".venv" / "pyvenv.cfg").write_text("")
    target, _ = clone(leave_out=[str(source / "other-home")])

    assert not (target / ".kalelite").exists()
    assert not (target / "other-home").exists()
    for name in (".venv", "conda"):
        assert os.readlink(target / name) == str(source / name)


def test_a_commit_in_the_clone_of_a_repository_is_not_in_the_original(source, clone):
    if not shutil.which("git"):
        pytest.skip("there is no git: install it")

    def git(folder, *words):
        who = ("-c", "user.name=n", "-c", "user.email=n@example.com")
        command = ["git", "-C", str(folder), *who, *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    git(source, "init", "-q")
    git(source, "add", "-A")
    git(source, "commit", "-qm", "one")
    target, _ = clone()
    (target / "new.txt").write_text("new")
    git(target, "add", "-A")
    git(target, "commit", "-qm", "two")
    git(target, "gc", "-q")

    assert git(target, "rev-list", "--count", "HEAD").strip() == "2"
    assert git(source, "rev-list", "--count", "HEAD").strip() == "1"
    assert git(source, "status", "--short") == ""
    git(source, "fsck", "--strict")


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small filesystem takes root")
def test_a_clone_that_does_not_fit_is_refused_before_it_is_copied(source, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    for number in range(3):
        (source / f"large{number}").write_bytes(bytes(MB))
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "small", str(small)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("nothing can be mounted here: run with CAP_SYS_ADMIN")
    try:
        with pytest.raises(UsageError, match="no room .*: it takes .* MB, and .* are free"):
            clone_folder(str(source), str(small / "clone"))
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_extended_attributes_are_kept(source, clone):
    try:
        os.setxattr(source / "run.sh", "user.origin", b"here")
    except (OSError, AttributeError):
        pytest.skip("this filesystem keeps no attributes: run on ext4 or xfs")
    target, _ = clone()

    assert os.getxattr(target / "run.sh", "user.origin") == b"here"


def test_only_what_was_written_is_kept(source, clone):
    (source / "sub").write_text("")
    target, _ = clone()
    before = states_of(str(target))
    (target / "out").mkdir()
    (target / "out" / "model").write_text("m")
    with (target / "data" / "deep" / "a.txt").open("r+") as file:
        file.write("b")

    (target / "sub").unlink()

    assert keep_changed(str(target), before) == (["data/deep/a.txt", "out/model"], ["sub"])
    assert not (target / "run.sh").exists()
    assert not (target / "empty").exists()


def test_the_folder_of_a_process_that_died_is_swept_and_that_of_a_living_one_stays(tmp_path):
    program = (
        "import pathlib, sys, os\n"
        "from kalelite.volumes.claimed_folder import claimed\n"
        "with claimed(pathlib.Path(sys.argv[1])):\n"
        "    print('in', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    folders = [tmp_path / "dies", tmp_path / "lives"]
    dies, lives = (
        subprocess.Popen(
            [sys.executable, "-c", program, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for folder in folders
    )
    with dies, lives:
        assert dies.stdout.readline() == lives.stdout.readline() == "in\n"
        dies.kill()
        dies.wait()
        with claimed(tmp_path / "mine"):
            sweep(tmp_path)
            assert sorted(path.name for path in tmp_path.iterdir()) == ["lives", "mine"]
        lives.communicate("")
    assert list((tmp_path / "lives").iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a filesystem takes root")
def test_where_blocks_can_be_shared_a_clone_takes_no_room(source, tmp_path):
    if not shutil.which("mkfs.xfs"):
        pytest.skip("there is no mkfs.xfs: install xfsprogs")
    image, disk = tmp_path / "image", tmp_path / "disk"
    disk.mkdir()
    with image.open("wb") as file:
        file.truncate(512 * MB)
    subprocess.run(["mkfs.xfs", "-q", "-m", "reflink=1", str(image)], check=True)
    if subprocess.run(
        ["mount", "-o", "loop", str(image), str(disk)], capture_output=True
    ).returncode:
        pytest.skip("no image can be mounted here: run with loop devices")
    try:
        shutil.move(source, disk / "source")
        (disk / "source" / "large").write_bytes(os.urandom(64 * MB))
        os.sync()
        used = shutil.disk_usage(disk).used
        clone_folder(str(disk / "source"), str(disk / "clone"))
        os.sync()

        assert shutil.disk_usage(disk).used - used < 8 * MB
        same = (disk / "clone" / "large").read_bytes() == (disk / "source" / "large").read_bytes()
        assert same
    finally:
        subprocess.run(["umount", str(disk)], check=True)
