"""The search for hyperparameters that Kale's metadata describes for Katib, as ``kalelite sweep``."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any


def sweep_command(katib: Mapping[str, Any], notebook: str) -> str:
    """The command that does ``katib_metadata``'s search."""
    words = ["kalelite", "sweep", notebook]
    for parameter in katib.get("parameters") or ():
        words += ["-p", f"{parameter.get('name')}={_space(parameter)}"]
    objective = katib.get("objective") or {}
    if objective.get("objectiveMetricName"):
        words += ["--objective", objective["objectiveMetricName"], f"--{objective.get('type')}"]
    words += _search(katib)
    if (katib.get("parallelTrialCount") or 1) > 1:
        words += ["-j", str(katib["parallelTrialCount"])]
    return shlex.join(words)


def _search(katib: Mapping[str, Any]) -> Iterator[str]:
    algorithm = (katib.get("algorithm") or {}).get("algorithmName", "random")
    if algorithm != "grid":
        yield from ("--search", "random" if algorithm == "random" else "tpe")
        yield from ("--trials", str(katib.get("maxTrialCount") or 12))


def _space(parameter: Mapping[str, Any]) -> str:
    space = parameter.get("feasibleSpace") or {}
    if space.get("list"):
        return f"[{', '.join(map(str, space['list']))}]"
    if not space.get("step"):
        return f"{space.get('min')}..{space.get('max')}"
    number = int if parameter.get("parameterType") == "int" else float
    low, high, step = (float(space.get(name, 0)) for name in ("min", "max", "step"))
    values = [number(round(low + at * step, 12)) for at in range(round((high - low) / step) + 1)]
    return f"[{', '.join(map(str, values))}]"
