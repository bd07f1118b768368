"""The log of a step: cut in the middle, shared by attempts."""

import os

from kalelite.attempts.step_log import Log


def test_a_log_keeps_its_start_and_its_end(tmp_path):
    log = Log(tmp_path / "log", limit=10_000)
    log.begin(1)
    with open(log.path, "ab") as writer:
        for number in range(5):
            writer.write(b"".join(b"%d-%d\n" % (number, line) for line in range(3000)))
            writer.flush()
            log.trim()

    lines = log.path.read_bytes().splitlines()
    assert os.path.getsize(log.path) < 12_000
    assert lines[0] == b"0-0"
    assert lines[-1] == b"4-2999"
    assert sum(b"left out" in line for line in lines) == 1


def test_attempts_share_a_log(tmp_path):
    log = Log(tmp_path / "log")
    log.begin(1)
    log.path.write_bytes(b"first\n")
    log.begin(2)

    assert log.path.read_bytes() == b"first\n--- attempt 2 ---\n"
