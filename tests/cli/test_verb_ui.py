"""``kalelite ui`` as people start and end it."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request

import pytest


def test_it_says_where_the_pages_are_and_ends_with_ctrl_c(shell):
    with subprocess.Popen(
        [sys.executable, "-m", "kalelite", "ui"],
        cwd=shell.folder,
        env=shell.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell in the background has it ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        lines = [process.stdout.readline() for _ in range(3)]
        address = re.search(r"http://127\.0\.0\.1:\d+/\?token=\S+", lines[1])[0]
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        with opener.open(address, timeout=30) as answer:
            assert "There is no run yet" in answer.read().decode()
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(address.partition("?")[0], timeout=30)
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=30)

    assert (process.returncode, rest.strip(), errors) == (0, "", "")
