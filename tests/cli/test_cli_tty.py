"""The command on a terminal: a pty with a size."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parent / "scripts"


def _as_a_terminal_does():
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    # Whoever runs the tests in the background ignores these, and programs inherit that.
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


class Session:
    """The command with a terminal of its own."""

    def __init__(self, folder, words, *, rows=24, columns=80, **environ):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        clear = {"NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES"}
        kept = {name: value for name, value in os.environ.items() if name not in clear}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "kalelite", *map(str, words)],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=folder,
            env=kept | {"TERM": "xterm-256color", "LANG": "C.UTF-8"} | environ,
            start_new_session=True,
            preexec_fn=_as_a_terminal_does,
        )
        os.close(slave)
        self.seen = ""

    def read(self, until=None, timeout=60):
        """Read to the end, or until a pattern was seen."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if until is not None and re.search(until, self.seen):
                return self.seen
            ready, _, _ = select.select([self.master], [], [], 0.5)
            if not ready:
                continue
            try:
                data = os.read(self.master, 65536)
            except OSError:
                break
            if not data:
                break
            self.seen += data.decode("utf-8", "replace")
        return self.seen

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.master)


@pytest.fixture
def session(tmp_path):
    (tmp_path / ".kalelite").mkdir()
    opened = []

    def start(*words, **options):
        opened.append(Session(tmp_path, words, **options))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


COLORS = re.compile(r"\x1b\[(?:\d+;)*3\dm|\x1b\[1;31m|\x1b\[1m")


def test_a_live_table_that_redraws_and_stays(session):
    live = session(SCRIPTS / "slow.py", "-p", "seconds=0.3", "--jobs", "2")
    seen = live.read()

    assert live.process.wait(10) == 0
    assert "\x1b[2K" in seen
    assert COLORS.search(seen)
    assert re.search(r"slow.*0 of 4 steps done.*2 running", seen)
    final = seen[seen.rindex("4 of 4 steps done") :]
    for name in ("wait", "wait-2", "wait-3", "wait-4"):
        assert re.search(rf"✓ +{name} +0", re.sub(r"\x1b\[[0-9;]*m", "", final))
    assert seen.endswith(("\n", "\x1b[?25h"))


def test_no_color(session):
    seen = session(SCRIPTS / "slow.py", "-p", "seconds=0.1", NO_COLOR="1").read()

    assert "4 of 4 steps done" in seen
    assert not re.search(r"\x1b\[[0-9;]*3[1-7]m", seen)


def test_a_dumb_terminal_gets_lines(session):
    seen = session(SCRIPTS / "slow.py", "-p", "seconds=0.1", TERM="dumb").read()

    assert "\x1b" not in seen
    assert "▸ running" in seen


def test_a_narrow_and_low_terminal(session):
    seen = session(
        SCRIPTS / "slow.py", "-p", "seconds=0.2", "--jobs", "2", rows=6, columns=24
    ).read()
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen)
    table = plain[: plain.rindex("✓ slow succeeded")]

    assert "and " in table  # a row that is summed up
    assert max(len(line) for line in table.replace("\r", "\n").split("\n")) <= 24


def test_errors_are_colored_and_carets_stand_below(session):
    seen = session("--check", SCRIPTS / "wrong.py").read()

    assert "\x1b[1;31m" in seen
    lines = re.sub(r"\x1b\[[0-9;]*m", "", seen).splitlines()
    at = next(number for number, line in enumerate(lines) if "| if a:" in line)
    assert lines[at + 1].index("^") == lines[at].index("if a:") or "^" in lines[at + 1]


def test_ctrl_c_once_stops_and_says_how_to_go_on(session):
    live = session(SCRIPTS / "slow.py", "-p", "seconds=30")
    live.read(until=r"running")
    os.killpg(live.process.pid, signal.SIGINT)
    seen = live.read()

    assert live.process.wait(20) == 130
    assert "interrupted" in seen
    assert "python -m kalelite" in seen
    assert "Traceback" not in seen
    assert seen.count("\x1b[?25l") <= seen.count("\x1b[?25h")


def test_a_terminal_that_goes_away_does_not_stop_the_run(session, tmp_path):
    live = session(SCRIPTS / "slow.py", "-p", "seconds=0.3", "--home", tmp_path / "home")
    live.read(until=r"running")
    signal_safe = live.process.pid
    os.kill(signal_safe, 0)
    os.close(live.master)
    live.master = os.open(os.devnull, os.O_RDONLY)
    code = live.process.wait(30)

    assert code in {0, -signal.SIGHUP, 128 + signal.SIGHUP, 130, 1}


def test_debug_keeps_the_terminal_for_the_debugger(session, tmp_path):
    script = tmp_path / "stop.py"
    script.write_text(
        (SCRIPTS / "hello.py")
        .read_text("utf-8")
        .replace('    print(f"hello', '    breakpoint()\n    print(f"hello'),
        "utf-8",
    )
    live = session("stop.py", "--debug")
    live.read(until=r"\(Pdb\)")
    os.write(live.master, b"p name\nc\n")
    seen = live.read()

    assert "'world'" in seen
    assert live.process.wait(20) == 0


WIDE = """
from kalelite import pipeline, step

@step
def load():
    return 1

@step
def take(*values, last=0):
    raise ValueError("too large for this")

@pipeline
def p():
    v = load()
    take(1111111111, 2222222222, 3333333333, 4444444444, 5555555555, v + 1, 6666666666, 8888888888, last=7)
"""


def test_a_long_source_line_is_shown_around_its_caret(session, tmp_path):
    (tmp_path / "wide.py").write_text(WIDE, "utf-8")

    seen = re.sub(r"\x1b\[[0-9;]*m", "", session("check", "wide.py", columns=50).read())

    lines = seen.splitlines()
    at = next(number for number, line in enumerate(lines) if "^^^" in line)
    assert lines[at - 1].startswith("  15 | …")
    assert lines[at - 1].endswith("…")
    start, end = lines[at].index("^"), lines[at].rindex("^") + 1
    assert lines[at - 1][start:end] == "v + 1"
    assert max(map(len, lines)) <= 50


def test_a_terminal_without_unicode_is_told_how_it_ended(session, tmp_path):
    (tmp_path / "wide.py").write_text(WIDE.replace("v + 1", "v"), "utf-8")

    live = session("wide.py", columns=60, LC_ALL="C", PYTHONIOENCODING="ascii")
    seen = live.read()

    assert live.process.wait(10) == 1
    assert "x take failed" in seen
    assert "ValueError: too large for this" in seen
    assert "x p failed" in seen
