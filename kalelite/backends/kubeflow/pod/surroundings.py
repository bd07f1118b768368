"""Where a step finds itself in its pod: its folder, its home, its place in the loops around it."""

from __future__ import annotations

import os
import re
import tempfile

NODE = "KALELITE_NODE"
"""The variable with the name of the pod's node in the Workflow, which has the place in its loops."""

NODE_FIELD = "metadata.annotations['workflows.argoproj.io/node-name']"


def index_of(node: str, loops: int) -> tuple[int, ...]:
    """The positions in the loops around a step, outermost first.

    ``node`` is a path such as ``main-x.root.for-loop-2.iteration-iterations(1:1).…``: each loop is
    an element with a position and an item, a retry one with a number only. Raises `LookupError` if
    there are fewer.
    """
    found = tuple(map(int, re.findall(r"\((\d+):", node)))
    if len(found) < loops:
        raise LookupError(f"{node!r} has no place in {loops} loops")
    return found[:loops]


def settle_down(work: str) -> None:
    """Start where the step may write: in ``work``, else in the image's folder, else in a new one.

    Images that set no folder and no home leave both at ``/``, where only root may write.
    """
    here = os.getcwd()
    for folder in (work, here if here != "/" else ""):
        if folder and os.access(folder, os.W_OK | os.X_OK):
            os.chdir(folder)
            break
    else:
        os.chdir(tempfile.mkdtemp(prefix="kalelite-"))
    home = os.environ.get("HOME", "/")
    if home == "/" or not os.access(home, os.W_OK):
        os.environ["HOME"] = os.getcwd()
