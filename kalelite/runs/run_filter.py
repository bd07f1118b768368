"""Which of all runs are meant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from kalelite.frozen import frozen
from kalelite.runs.pipeline_run import Run


@frozen
class RunFilter:
    """In one of these states, and with these tags; what is empty does not count.

    A tag that is None may have any value.
    """

    states: tuple[str, ...] = ()
    tags: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether all runs are meant."""
        return not self.states and not self.tags

    def holds_for(self, run: Run) -> bool:
        """Whether a run is meant."""
        if self.states and run.state not in self.states:
            return False
        return not self.tags or run.tags.matches(self.tags)
