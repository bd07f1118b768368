"""Parameters that JSON has no type for."""

from dataclasses import dataclass
from datetime import date
from enum import Enum
from pathlib import Path
from typing import Literal, Optional

from kalelite import pipeline, step


class Color(Enum):
    RED = 1
    BLUE = "b"


@dataclass
class Config:
    rate: float = 0.1
    layers: tuple[int, ...] = (1, 2)


@step
def show(color, config, when, mode, limit, path):
    ours = color is Color.RED, isinstance(config, Config), config == Config()
    return [ours, config.rate, config.layers, when, mode, limit, path]


@pipeline
def main(
    color: Color = Color.RED,
    config: Config = Config(),
    when: date = date(2026, 1, 2),
    mode: Literal["fast", "slow"] = "fast",
    limit: Optional[int] = None,
    path: Path = Path("/data/x"),
):
    return show(color, config, when, mode, limit, path)


EXPECTED = [(True, True, True), 0.1, (1, 2), date(2026, 1, 2), "fast", None, Path("/data/x")]
