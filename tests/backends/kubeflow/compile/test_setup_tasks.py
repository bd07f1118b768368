"""How the code reaches the volume."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import pytest

from kalelite.backends.kubeflow.compile.mounts import Storage
from kalelite.backends.kubeflow.compile.setup_tasks import (
    ARGUMENT_LIMIT,
    PART_LIMIT,
    stage_tasks,
)


def run(part, umask=0o077):
    command = [sys.executable, *part.command[1:], *part.args]
    return subprocess.run(
        command, capture_output=True, text=True, preexec_fn=lambda: os.umask(umask)
    )


@pytest.fixture
def home(tmp_path):
    (tmp_path / "volume").mkdir(mode=0o755)
    return tmp_path / "volume" / ".kalelite"


def parts_of(data, digest, *, home, root=""):
    return stage_tasks(data, digest, Storage((), home, staged=True, new_root=root), "python")


def staged(data, home):
    digest = hashlib.sha256(data).hexdigest()
    parts = parts_of(data, digest, home=str(home), root=str(home.parent))
    return parts, home / "code" / f"{digest[:16]}.pyz"


@pytest.mark.parametrize("size", [1, 50_000, 72_000, 72_001, 400_000])
def test_parts_put_the_bundle_together(home, size):
    data = os.urandom(size)
    parts, path = staged(data, home)
    for part in parts:
        done = run(part)
        assert done.returncode == 0, done.stderr
    with open(path, "rb") as file:
        assert file.read() == data
    assert [name for name in os.listdir(home / "code") if "part" in name] == []


def test_every_argument_and_every_container_fits_into_one_argument():
    data = os.urandom(300_000)
    for part in parts_of(data, "0" * 64, home="/marshal/.kalelite"):
        assert sum(map(len, (*part.command, *part.args))) + 4_000 < ARGUMENT_LIMIT
        assert max(map(len, part.args)) <= PART_LIMIT


def test_folders_are_open_to_every_user_whatever_the_umask(home):
    for part in staged(b"code", home)[0]:
        run(part)
    for folder in (home.parent, home, home / "store", home / "runs", home / "code"):
        assert folder.stat().st_mode & 0o777 == 0o777, folder
    (bundle,) = (home / "code").iterdir()
    assert bundle.stat().st_mode & 0o777 == 0o644


def test_twice_is_as_good_as_once(home):
    (part,), path = staged(b"code", home)
    assert run(part).returncode == 0
    before = os.stat(path).st_mtime_ns
    done = run(part)
    assert done.returncode == 0
    assert "is there" in done.stdout
    assert os.stat(path).st_mtime_ns == before


def test_code_that_changed_on_the_way_is_refused(home):
    parts = parts_of(b"code", "0" * 64, home=str(home))
    done = run(parts[0])
    assert done.returncode == 1
    assert "is not the code that was sent" in done.stderr
    assert list((home / "code").glob("*.pyz")) == []


def test_a_damaged_file_is_replaced(home):
    (part,), path = staged(b"code", home)
    run(part)
    with open(path, "wb") as file:
        file.write(b"other")
    run(part)
    with open(path, "rb") as file:
        assert file.read() == b"code"


def test_no_brace_and_no_shell_in_what_is_staged():
    (part,) = parts_of(b"{{workflow.name}} $(id) `id`", "0" * 64, home="/m/.kalelite")
    words = " ".join((*part.command, *part.args))
    assert "{{" not in words
    assert "$(" not in words
    assert part.command[:2] == ("python3", "-c")
