"""The structured values of options: retries, secrets, volumes and the like, as plain data."""

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


@frozen
class SecretEnv:
    """An environment variable that takes its value from a key of a Kubernetes Secret."""

    variable: str
    secret: str
    key: str


@frozen
class SecretFiles:
    """A folder that holds a Kubernetes Secret, one file for each key."""

    path: str
    secret: str


@frozen
class ConfigMapEnv:
    """An environment variable that takes its value from a key of a ConfigMap."""

    variable: str
    config_map: str
    key: str


@frozen
class ConfigMapFiles:
    """A folder that holds a ConfigMap, one file for each key."""

    path: str
    config_map: str


@frozen
class Volume:
    """A claim that is mounted into the step; here, a folder of this machine.

    Attributes
    ----------
    claim
        The name of the PersistentVolumeClaim.
    path
        Where the step finds it.
    read_only
        The step may not write to it.
    sub_path
        The folder inside the volume that is mounted; empty is the whole volume.
    """

    claim: str
    path: str
    read_only: bool = False
    sub_path: str = ""


@frozen
class Toleration:
    """A node taint that the step's pod puts up with; as in Kubernetes.

    Attributes
    ----------
    key
        Of the taint; empty, with the operator ``"Exists"``, is every one.
    operator
        ``"Equal"`` or ``"Exists"``.
    value
        Of the taint, for ``"Equal"``.
    effect
        ``"NoSchedule"``, ``"PreferNoSchedule"`` or ``"NoExecute"``; empty is all of them.
    seconds
        How long a pod stays when the taint is put on its node; None is for ever.
    """

    key: str = ""
    operator: str = "Equal"
    value: str = ""
    effect: str = ""
    seconds: int | None = None


@frozen
class SecurityContext:
    """The user and group that the step runs as."""

    run_as_user: int | None = None
    run_as_group: int | None = None
    run_as_non_root: bool | None = None


class NotSecret(str):
    """Text that may stand in the clear although its name looks like that of a secret.

    ``env={"SORT_KEY": NotSecret("name")}``
    """

    __slots__ = ()
