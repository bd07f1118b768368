"""What a step may take of this machine: processors and GPUs as places. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from kalelite.frozen import frozen
from kalelite.plan.options import StepOptions
from kalelite.plan.options.quantity import parse


@frozen
class Grant:
    """What a running task holds: processors (fractions count) and named GPUs."""

    cpu: float
    gpus: tuple[str, ...] = ()


class Slots:
    """The places of this machine.

    A step that asks for more than there is gets all there is, and so runs alone. One that asks
    for nothing holds one processor.
    """

    def __init__(self, cpu: float, gpus: Sequence[str] = ()) -> None:
        self.cpu = cpu
        self.gpus = tuple(gpus)
        self._held = 0.0
        self._free = list(gpus)

    def take(self, options: StepOptions) -> Grant | None:
        """Places for a step, None if they are not free now."""
        wanted = float(parse(options.cpu)) if options.cpu else 1.0
        cpu = min(wanted, self.cpu)
        count = min(options.gpu or 0, len(self.gpus))
        # Fractions such as 0.1 do not add up exactly.
        if self._held + cpu > self.cpu + 1e-9 or count > len(self._free):
            return None
        self._held += cpu
        granted, self._free = self._free[:count], self._free[count:]
        return Grant(cpu, tuple(granted))

    def give(self, grant: Grant) -> None:
        """Take places back."""
        self._held -= grant.cpu
        self._free = sorted([*self._free, *grant.gpus], key=self.gpus.index)
