"""What the fault handler writes, read."""

from kalelite.attempts import fault_handler as crash

LOG = b"""\
epoch 1
Fatal Python error: Segmentation fault

Current thread 0x00007f (most recent call first):
  File "/home/me/model.py", line 7 in fit
  File "/home/me/model.py", line 3 in train
  File "/site/kalelite/executor/execute.py", line 160 in _call
  File "/site/kalelite/backends/local/pool/worker.py", line 44 in work
  File "<string>", line 1 in <module>

Extension modules: numpy, torch (total: 2)
"""


def test_the_frames_are_the_users_outermost_first():
    frames = crash.frames_of(LOG)

    assert [(frame.function, frame.line) for frame in frames] == [("train", 3), ("fit", 7)]


def test_the_log_keeps_what_is_the_users():
    text = crash.shortened(LOG)

    assert text.startswith(b"epoch 1\nFatal Python error: Segmentation fault\n")
    assert text.endswith(b'  File "/home/me/model.py", line 3 in train\n')


def test_a_log_without_a_crash_stays_as_it_is(tmp_path):
    log = tmp_path / "log.txt"
    log.write_bytes(b"all is well\n")

    assert crash.take(log) == ()
    assert log.read_bytes() == b"all is well\n"


def test_a_crash_at_the_end_of_a_long_log_is_cut_in_place(tmp_path):
    log = tmp_path / "log.txt"
    log.write_bytes(b"x" * 100_000 + b"\n" + LOG)

    assert crash.take(log)
    assert log.read_bytes() == b"x" * 100_000 + b"\n" + crash.shortened(LOG)


def test_no_log_is_no_crash(tmp_path):
    assert crash.take(tmp_path / "none.txt") == ()
