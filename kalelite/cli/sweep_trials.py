"""The trials of a sweep: each is a command of its own, whose events are listened to."""

from __future__ import annotations

import json
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any


@dataclass
class Trials:
    """The commands that run.

    ``folder`` is where they start. ``news`` has an event of a trial by its number, and None when
    its command has ended.
    """

    folder: str
    running: dict[int, subprocess.Popen[str]] = field(default_factory=dict)
    news: queue.Queue[tuple[int, Mapping[str, Any] | None]] = field(default_factory=queue.Queue)

    def start(self, number: int, words: Sequence[str], log: Path) -> None:
        """Start a trial; what it prints beside its events goes to a file."""
        with log.open("w", encoding="utf-8") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "kalelite", *words],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=file,
                text=True,
                process_group=0,  # Ctrl-C is for the sweep, which passes it on
            )
        self.running[number] = process
        assert process.stdout is not None
        threading.Thread(
            target=self._listen, args=(number, process.stdout), daemon=True, name=f"trial-{number}"
        ).start()

    def _listen(self, number: int, stream: IO[str]) -> None:
        with stream:
            for event in _events(stream):
                self.news.put((number, event))
        self.news.put((number, None))

    def fetch(self, run: str, home: Path, log: Path) -> None:
        """Bring the records of a run on Kubeflow Pipelines; what goes wrong is in the log."""
        with log.open("a", encoding="utf-8") as file:
            subprocess.run(
                [sys.executable, "-m", "kalelite", "get", run, "--fetch", "--home", str(home)],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=file,
                check=False,
            )

    def ended(self, number: int) -> int:
        """Take the command of a trial that has ended off the list; its exit code."""
        return self.running.pop(number).wait()

    def interrupt(self) -> None:
        """Ask all to end as by Ctrl-C; asked again they kill their steps."""
        for process in self.running.values():
            if process.poll() is None:
                process.send_signal(signal.SIGINT)


def _events(stream: IO[str]) -> Iterator[Mapping[str, Any]]:
    for line in stream:
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict):
            yield event
