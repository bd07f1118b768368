"""What a run has made of a task, as its card in a picture shows it: colours, a symbol, a note."""

from __future__ import annotations

from collections.abc import Sequence

from kalelite.frozen import frozen
from kalelite.humanize import duration
from kalelite.picture.theme import themed

SYMBOLS = {
    "failed": "✗",
    "crashed": "✗",
    "running": "▸",
    "retrying": "↻",
    "not run": "⊘",
    "interrupted": "⊘",
    "cancelled": "⊘",
    "waiting": "·",
    "succeeded": "✓",
    "cached": "=",
    "skipped": "⊘",
}
"""States of tasks and of runs. Of several instances, the card shows the first of their states."""

_COLOURS = {
    "failed": ("badfill", "bad"),
    "running": ("busyfill", "accent"),
    "retrying": ("warnfill", "warn"),
    "not-run": ("warnfill", "warn"),
    "succeeded": ("goodfill", "good"),
    "cached": ("goodfill", "good"),
}
STATE_STYLE = themed(
    "".join(
        f".kp .is-{state} .card{{fill:${fill};stroke:${line}}}\n.kp .is-{state} .state{{fill:${line}}}\n"
        for state, (fill, line) in _COLOURS.items()
    )
    + """\
.kp .state{font-size:11.5px;font-weight:600}
.kp .is-cached .card{stroke-dasharray:4 3}
.kp .is-skipped,.kp .is-waiting{opacity:.62}
.kp .is-running .card,.kp .is-failed .card{stroke-width:2}
.kp a.task:hover .card,.kp a.task:focus .card{stroke-width:3}
.kp a.task{cursor:pointer;outline:none;text-decoration:none}
"""
)


@frozen
class CardState:
    """The state of a task in a run, and a few characters about it."""

    state: str
    note: str = ""

    @property
    def css(self) -> str:
        """The class of its card."""
        return f"is-{self.state.replace(' ', '-')}"

    @property
    def text(self) -> str:
        """The line in its card."""
        return f"{SYMBOLS.get(self.state, '·')} {self.note or self.state}"


def card_state(instances: Sequence[tuple[str, float | None]]) -> CardState:
    """The state of a task from those of its instances, each with its seconds if it has started."""
    found = {state for state, _ in instances}
    state = next((one for one in SYMBOLS if one in found), "waiting")
    if len(instances) != 1:
        ended = sum(one in {"succeeded", "cached", "skipped"} for one, _ in instances)
        return CardState(state, f"{ended} of {len(instances)}" if instances else "")
    seconds = instances[0][1]
    timed = state in {"succeeded", "failed", "running"} and seconds is not None
    return CardState(state, duration(seconds or 0.0) if timed else "")
