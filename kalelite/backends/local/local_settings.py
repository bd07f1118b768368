"""How a local run is to be done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Literal

from kalelite.frozen import frozen


@frozen
class LocalSettings:
    """Settings of a local run.

    Attributes
    ----------
    home
        The folder for runs and values; None is the nearest ``.kalelite``.
    jobs
        How many steps run at once; None is as many as there are processors.
    gpus
        The names of the GPUs that steps may be given; None is all that there are.
    start
        How processes are made: "fork", "spawn", or "auto" for what is safe here.
    preload
        Import what the script imports in the fork server, ahead.
    verify
        When a step's inputs are checked: "before", "background" or "off".
    grace
        Seconds that a process has between SIGTERM and SIGKILL.
    log_limit
        Bytes that are kept of what one step prints.
    volumes
        The local folder of a claim, by the claim's name.
    cache
        Whether the results of earlier runs are used, and kept for later ones: None for steps with
        ``cache=True``, True for all but those with ``cache=False``. With False steps run anew, and
        their new results are kept.
    refresh
        Steps, or their tasks, that run anew whatever is known of them.
    share
        A folder in which the results of all steps are kept, for the runs that are given it, too:
        those beside each other make each result once. None is not to share.
    resume
        The id of a run to go on from: what is finished there and unchanged is taken.
    start_after
        The id of a run and the id of a task in it: its values and those before are taken.
    words
        What followed the command's name, for the record of the run; empty without a command.
    called_in
        The folder in which the command was given; empty for the current one.
    debug
        Run everything in this process, one step after the other; then nothing is kept for
        later runs, and of earlier ones only that is used which ``resume`` and ``start_after`` name.
    """

    home: Path | None = None
    jobs: int | None = None
    gpus: tuple[str, ...] | None = None
    start: str = "auto"
    preload: bool = True
    verify: Literal["before", "background", "off"] = "background"
    grace: float = 10.0
    log_limit: int = 16 << 20
    volumes: Mapping[str, Path] = field(default_factory=dict)
    cache: bool | None = None
    refresh: tuple[str, ...] = ()
    share: Path | None = None
    resume: str = ""
    start_after: tuple[str, str] | None = None
    words: tuple[str, ...] = ()
    called_in: str = ""
    debug: bool = False
