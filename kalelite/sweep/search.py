"""Which point of its space a sweep tries next."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, Protocol

from kalelite.errors import UsageError
from kalelite.sweep.space import Choices, Point, Space, draws, grid, text_of
from kalelite.sweep.sweep_record import Sweep, Trial


class Search(Protocol):
    """Proposes points, and may learn from what became of them."""

    def ask(self, number: int) -> Point | None:
        """The point of the trial of that number, counted from 1; None if there is none left."""

    def tell(self, trial: Trial) -> None:
        """A trial has ended."""


class Listed:
    """Points that are known from the beginning: a grid, or draws by chance."""

    def __init__(self, points: Iterator[Point]) -> None:
        self._points = points

    def ask(self, number: int) -> Point | None:
        del number
        return next(self._points, None)

    def tell(self, trial: Trial) -> None:
        """It changes nothing."""


class Adaptive:
    """Optuna's search: the more trials have ended, the closer it looks where they were good."""

    def __init__(self, space: Space, sweep: Sweep) -> None:
        import optuna  # type: ignore[import-not-found, unused-ignore]

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        kinds = optuna.distributions
        self._optuna = optuna
        self._space = space
        self._number = sweep.number
        self._distributions: dict[str, Any] = {}
        for name, each in space.items():
            if isinstance(each, Choices):
                texts = [text_of(value) for value in each.values]
                self._distributions[name] = kinds.CategoricalDistribution(texts)
            elif each.whole:
                low, high = int(each.low), int(each.high)
                self._distributions[name] = kinds.IntDistribution(low, high, log=each.log)
            else:
                self._distributions[name] = kinds.FloatDistribution(
                    each.low, each.high, log=each.log
                )
        sampler = optuna.samplers.TPESampler(seed=sweep.seed + len(sweep.done))
        directions = optuna.study.StudyDirection
        direction = directions.MAXIMIZE if sweep.maximize else directions.MINIMIZE
        self._study = optuna.create_study(sampler=sampler, direction=direction)
        self._asked: dict[int, Any] = {}
        for trial in sweep.done:
            self._add(trial)

    def _add(self, trial: Trial) -> None:
        """Take in a trial of an earlier process."""
        if trial.value is None:
            return
        params = {name: self._known(name, value) for name, value in trial.point.items()}
        self._study.add_trial(
            self._optuna.trial.create_trial(
                params=params, distributions=self._distributions, value=trial.value
            )
        )

    def _known(self, name: str, value: Any) -> Any:
        return text_of(value) if isinstance(self._space[name], Choices) else value

    def ask(self, number: int) -> Point | None:
        if number > self._number:
            return None
        asked = self._asked[number] = self._study.ask(self._distributions)
        return {name: self._value(name, asked.params[name]) for name in self._space}

    def _value(self, name: str, found: Any) -> Any:
        each = self._space[name]
        if not isinstance(each, Choices):
            return found
        return next(value for value in each.values if text_of(value) == found)

    def tell(self, trial: Trial) -> None:
        asked = self._asked.pop(trial.number, None)
        if asked is None:
            if trial.state == "succeeded":
                self._add(trial)
            return
        good = trial.state == "succeeded" and trial.value is not None
        state = None if good else self._optuna.trial.TrialState.FAIL
        self._study.tell(asked, trial.value if good else None, state=state)


def search_of(sweep: Sweep, space: Space) -> Search:
    """The search of a sweep, from where it is.

    Raises `UsageError`: there is no grid of its space, or optuna is not installed.
    """
    if sweep.search == "tpe":
        try:
            return Adaptive(space, sweep)
        except ImportError:
            raise UsageError(
                "--search tpe needs optuna, which is not installed",
                hint="pip install 'kalelite[sweep]'",
            ) from None
    points = grid(space) if sweep.search == "grid" else draws(space, sweep.number, sweep.seed)
    return Listed(itertools.islice(points, len(sweep.trials), None))
