"""The record of a sweep: ``<home>/sweeps/<id>/sweep.json``, from which it can go on."""

from __future__ import annotations

import contextlib
import fcntl
import json
import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, field, replace
from pathlib import Path
from typing import Any

from kalelite.atomic import write_atomically
from kalelite.errors import UsageError
from kalelite.frozen import frozen
from kalelite.plan.options.secrecy import masked_words
from kalelite.sweep.space import Point


@frozen
class Trial:
    """A run of a sweep.

    ``state`` is "waiting", "running" or how the run ended; ``value`` is that of the objective,
    ``problem`` why there is none; ``seconds`` is how long it took.
    """

    number: int
    point: Point
    state: str = "waiting"
    run: str = ""
    value: float | None = None
    problem: str = ""
    seconds: float = 0.0


@frozen
class Sweep:
    """What a sweep is, and how far it has come.

    ``words`` is the command line of a trial without its parameters, ``space`` the texts of what is
    swept, ``search`` "grid", "random" or "tpe". ``objective`` is a metric's name or an output, empty
    for none. ``number`` is how many trials there are to be.
    """

    id: str
    words: Sequence[str]
    folder: str
    space: Mapping[str, str]
    search: str
    number: int
    seed: int
    jobs: int
    objective: str = ""
    maximize: bool = False
    trials: Sequence[Trial] = field(default=())

    @property
    def done(self) -> list[Trial]:
        """The trials that have succeeded."""
        return [trial for trial in self.trials if trial.state == "succeeded"]

    def best(self) -> Trial | None:
        """The trial with the best value of the objective."""
        known = [trial for trial in self.done if _is_number(trial.value)]
        sign = -1 if self.maximize else 1
        return min(
            known, key=lambda trial: (sign * (trial.value or 0.0), trial.number), default=None
        )

    def changed(self, trial: Trial) -> Sweep:
        """The same with a trial as it is now."""
        others = [each for each in self.trials if each.number != trial.number]
        return replace(self, trials=sorted([*others, trial], key=lambda each: each.number))


def _is_number(value: float | None) -> bool:
    return value is not None and not math.isnan(value)


class SweepFolder:
    """The folder of a sweep."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def new(cls, home: Path, now: float) -> SweepFolder:
        """A new one, which is not made yet; its name is the sweep's id."""
        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(now))
        return cls(home / "sweeps" / f"{stamp}-{os.urandom(2).hex()}")

    @classmethod
    def find(cls, home: Path, name: str) -> SweepFolder:
        """The one of an id, or of the beginning of one, or the last; raises `UsageError`."""
        ids = sorted(path.parent.name for path in home.glob("sweeps/*/sweep.json"))
        found = ids[-1:] if name == "last" else [id for id in ids if id.startswith(name)]
        if len(found) != 1:
            shown = ", ".join((found or ids)[-5:]) or "none"
            title = "several sweeps begin" if found else "there is no sweep that begins"
            raise UsageError(f"{title} with {name!r}", hint=f"There are {shown}.")
        return cls(home / "sweeps" / found[0])

    @property
    def results(self) -> Path:
        """Where its trials keep the results that others take."""
        return self.path / "results"

    def log(self, trial: Trial) -> Path:
        """What a trial's command has printed."""
        return self.path / f"trial-{trial.number}.log"

    def read(self) -> Sweep:
        """The sweep as it was last written; raises `UsageError`."""
        try:
            data: dict[str, Any] = json.loads((self.path / "sweep.json").read_bytes())
            trials = [Trial(**trial) for trial in data.pop("trials")]
            return Sweep(**data, trials=trials)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise UsageError(f"the record of sweep {self.path.name} cannot be read") from error

    def write(self, sweep: Sweep) -> None:
        """Keep it, but for the secrets in its command line."""
        data = {**asdict(sweep), "words": masked_words(sweep.words)}
        write_atomically(self.path / "sweep.json", json.dumps(data, indent=1).encode())

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Be the one process that goes on with it; raises `UsageError` if another one is."""
        with (self.path / "lock").open("w") as file:
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise UsageError(f"sweep {self.path.name} is still going on") from error
            yield
