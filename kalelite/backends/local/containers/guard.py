"""A small process that ends the containers of a run with it, however the run ends.

An engine's containers are no children of the run: they go on when all of its processes are killed.
This one waits until the run has let go of a pipe, and then removes what carries the run's label.
It is started by its path, and so imports nothing of this package.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator

LABEL = "kalelite.run"
_CLEANUP_TIMEOUT = 60


@contextlib.contextmanager
def watching(program: str) -> Iterator[str]:
    """Within the block containers may be started; gives the value of `LABEL` for them.

    When the block is left, or this process ends in whatever way, those that are left are removed.
    """
    value = uuid.uuid4().hex
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", __file__, program, f"{LABEL}={value}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield value
    finally:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(b"over", timeout=_CLEANUP_TIMEOUT)


def _remove(program: str, label: str) -> None:
    command = [program, "ps", "--all", "--quiet", "--filter", f"label={label}"]
    found = subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()
    if found:
        command = [program, "rm", "--force", "--volumes", *found]
        subprocess.run(command, capture_output=True, check=False)


def _main() -> None:
    program, label = sys.argv[1:]
    orderly = sys.stdin.buffer.read()
    _remove(program, label)
    if not orderly:
        # What was just being started when the run was killed may come up only now.
        time.sleep(2)
        _remove(program, label)


if __name__ == "__main__":
    _main()
