"""How often a failed step is tried again, and when. It travels to the pods."""

from __future__ import annotations

import builtins
from collections.abc import Iterable
from typing import TYPE_CHECKING

from kalelite.frozen import frozen


@frozen
class Retries:
    """How often a failed step is tried again, and when.

    Attributes
    ----------
    count
        How many times more; 3 means four attempts in all.
    wait
        How long before the first retry: seconds, or a text such as ``"10s"``.
    factor
        Each further wait is this many times longer.
    max_wait
        No wait is longer than this, written likewise; None is no bound.
    only
        The exceptions that are worth a retry: classes, or their names (``"OSError"``,
        ``"requests.exceptions.Timeout"``); subclasses are meant too. Empty is all of them, and
        a step that was killed.
    """

    count: int
    wait: float = 0.0
    factor: float = 1.0
    max_wait: float | None = None
    only: tuple[str, ...] = ()

    if TYPE_CHECKING:  # what may be written; options hold what the fields say

        def __init__(
            self,
            count: int,
            wait: float | str = 0.0,
            factor: float = 1.0,
            max_wait: float | str | None = None,
            only: Iterable[str | type[BaseException]] | str | type[BaseException] = (),
        ) -> None: ...

    def delay(self, attempt: int) -> float:
        """Seconds to wait after the given attempt, counted from 1, has failed."""
        try:
            wait = self.wait * self.factor ** (attempt - 1)
        except OverflowError:
            wait = float("inf")
        return wait if self.max_wait is None else min(wait, self.max_wait)

    def covers(self, error: str, bases: Iterable[str] = ()) -> bool:
        """Whether a failure is worth a retry.

        ``error`` is the exception's class as ``module.Name``, or bare for a builtin one, and
        ``bases`` those of its base classes that are known; of a builtin class, none need be.
        """
        if not self.only:
            return True
        # A class of the script itself is named with and without its module.
        names = [name.removeprefix("__main__.") for name in (error, *bases)]
        known = getattr(builtins, error.removeprefix("builtins."), None)
        if isinstance(known, type):
            names += [base.__name__ for base in known.__mro__]
        shorts = {name.rpartition(".")[2] for name in names}
        wanted = {name.removeprefix("__main__.") for name in self.only}
        return not wanted.isdisjoint({*names, *shorts})

    def after(self, attempt: int, error: str, bases: Iterable[str] = ()) -> float | None:
        """Seconds until the attempt after this one, which has failed; None if there is to be none."""
        return self.delay(attempt) if attempt <= self.count and self.covers(error, bases) else None
