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
        Use the results of earlier runs for steps with ``cache=True``. Without it they run anew,
        and their new results are kept.
    debug
        Run everything in this process, one step after the other; then results of earlier runs
        are not used either, and none are kept.
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
    cache: bool = True
    debug: bool = False
