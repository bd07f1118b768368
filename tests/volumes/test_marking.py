"""The mark that a snapshot is known by, and what becomes of it when its process dies."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
from contextlib import ExitStack

import pytest

from kalelite.errors import ClusterError
from kalelite.volumes.marker import verify
from kalelite.volumes.marking import marked


def marks(folder):
    return {path.name for path in folder.glob(".kalelite-snapshots/*")}


def hold(folder, run, told):
    with marked(folder, run):
        told.send(True)
        signal.pause()


@pytest.fixture
def other(tmp_path):
    """Another process, which has marked the folder."""
    context = multiprocessing.get_context("fork")
    told, theirs = context.Pipe(duplex=False)
    process = context.Process(target=hold, args=(tmp_path, "other", theirs))
    process.start()
    assert told.recv()
    yield process
    process.kill()
    process.join()


def test_a_mark_is_there_as_long_as_it_is_needed(tmp_path):
    with marked(tmp_path, "r1") as is_marked:
        assert is_marked
        verify(tmp_path, "r1")
        with pytest.raises(ClusterError, match="not the clone of the snapshot of run r2"):
            verify(tmp_path, "r2")
    assert list(tmp_path.iterdir()) == []


def test_a_volume_that_is_mounted_twice_is_marked_once(tmp_path):
    with ExitStack() as both:
        assert both.enter_context(marked(tmp_path, "r1"))
        assert both.enter_context(marked(f"{tmp_path}/.", "r1"))
        assert marks(tmp_path) == {"r1"}
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_is_not_marked(tmp_path):
    (tmp_path / ".kalelite-snapshots").touch()
    with marked(tmp_path, "r1") as is_marked:
        assert not is_marked


def test_a_volume_that_is_full_is_not_marked_and_nothing_is_left(tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    heard = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        with marked(tmp_path, "r1") as is_marked:
            assert not is_marked
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, heard)
    assert list(tmp_path.iterdir()) == []


def test_the_mark_of_a_process_that_was_killed_goes_with_the_next(tmp_path, other):
    with marked(tmp_path, "r1"):
        assert marks(tmp_path) == {"other", "r1"}, "who is still at it needs its own"

    os.kill(other.pid, signal.SIGKILL)
    other.join()
    assert marks(tmp_path) == {"other"}
    with marked(tmp_path, "r2"):
        assert marks(tmp_path) == {"r2"}
    assert list(tmp_path.iterdir()) == []
