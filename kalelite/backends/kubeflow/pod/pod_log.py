"""The log of a pod that several tasks share, by which it is followed.

It has the lines of each instance behind its name, and each change of a state as a line of its own,
which begins with `EVENT`.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from typing import Any

from kalelite.backends.kubeflow.pod.contract import EVENT
from kalelite.backends.kubeflow.pod.run_records import RunRecords

_LOG = os.dup(1)
"""The pod's log, wherever the standard output of an instance goes."""


def tell(event: Mapping[str, Any]) -> None:
    """Write an event."""
    os.write(_LOG, f"{EVENT}{json.dumps(event)}\n".encode())


class ToldRecords(RunRecords):
    """Records whose events are told in the pod's log as well."""

    def event(self, name: str, state: str, **more: Any) -> None:
        super().event(name, state, **more)
        tell({"at": time.time(), "task": name, "state": state, **more})


class PodLines:
    """Writes what an instance prints to the pod's log, line by line."""

    def __init__(self, name: str) -> None:
        self._prefix = f"{name} | ".encode()
        self._rest = b""

    def pass_on(self, output: int) -> bool:
        """Read what has been printed, and write the lines that are whole; False at its end."""
        chunk = os.read(output, 1 << 16)
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if not chunk and self._rest:
            lines.append(self._rest)
        told = memoryview(b"".join(b"%s%s\n" % (self._prefix, line) for line in lines))
        while told:
            told = told[os.write(_LOG, told) :]
        return bool(chunk)
