"""What this machine has to give."""

from __future__ import annotations

import math
import os
from pathlib import Path


def cores() -> int:
    """How many processors this process may use: affinity, and a container's share."""
    try:
        count = len(os.sched_getaffinity(0))
    except AttributeError:
        count = os.cpu_count() or 1
    quota = _quota()
    return max(1, min(count, math.ceil(quota)) if quota else count)


def _quota() -> float:
    """The processors that a control group grants, 0 where it sets no bound."""
    folder = Path("/sys/fs/cgroup")
    try:
        limit, period = (folder / "cpu.max").read_text(encoding="utf-8").split()
    except (OSError, ValueError):  # the first version of control groups
        try:
            limit = (folder / "cpu/cpu.cfs_quota_us").read_text(encoding="utf-8")
            period = (folder / "cpu/cpu.cfs_period_us").read_text(encoding="utf-8")
        except OSError:
            return 0.0
    try:
        return max(0.0, int(limit) / int(period))
    except (ValueError, ZeroDivisionError):
        return 0.0


def gpus() -> list[str]:
    """The GPUs that steps may be given, as CUDA names them: those visible to this process."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        named = [name.strip() for name in visible.split(",")]
        return [name for name in named if name and name != "-1"]
    try:
        entries = [entry.name for entry in Path("/dev").iterdir()]
    except OSError:
        return []
    numbers = [name.removeprefix("nvidia") for name in entries if name.startswith("nvidia")]
    return sorted((number for number in numbers if number.isdigit()), key=int)
