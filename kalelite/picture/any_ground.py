"""The colours of pictures and tables in a page that may be light or dark, and does not say which.

Notebooks on the web keep no more than the styles of elements; an image in a page cannot know its theme.
"""

from __future__ import annotations

from typing import Final

COLOURS: Final = {
    "running": "#2f74d0",
    "retrying": "#b3730b",
    "failed": "#d0443e",
    "succeeded": "#2b8a57",
    "cached": "#2a8291",
    "interrupted": "#b3730b",
    "cancelled": "#b3730b",
    "crashed": "#d0443e",
}
"""Of states. White text reads well on them, and they do on white and on black."""
_OTHER: Final = "#76828f"
_RULES: Final = """\
.kp{font:13px system-ui,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
.kp text{fill:#fff}
.kp .soft,.kp .out{font-size:11.5px;fill-opacity:.8}
.kp .card{fill:#5a6b80}
.kp .task .name{font-weight:600}
.kp .chip{fill:#fff;fill-opacity:.18}
.kp .badge{font-size:10.5px}
.kp .frame>rect{fill:#8090a8;fill-opacity:.09;stroke:#8090a8;stroke-opacity:.7}
.kp .frame text{font-size:12px;font-weight:600;fill:#8090a8}
.kp .frame .plate{fill:none;stroke:none}
.kp .siblings>rect,.kp .switch>rect{fill:none;stroke-dasharray:2 4}
.kp .loop>rect{fill:#8d6cd1;stroke:#8d6cd1}
.kp .loop text{fill:#8d6cd1}
.kp .branch>rect{fill:#b8821f;stroke:#b8821f}
.kp .branch text{fill:#b8821f}
.kp .exit>rect{fill:#3c9463;stroke:#3c9463;stroke-dasharray:6 4}
.kp .exit text{fill:#3c9463}
.kp .edge{fill:none;stroke:#8793a0;stroke-width:1.3}
.kp .order{stroke-dasharray:2 4}
.kp .edge.condition{stroke:#b8821f;stroke-dasharray:5 3}
.kp .edge.exit{stroke:#3c9463;stroke-dasharray:6 4}
.kp .tip{fill:#8793a0}
.kp .tip.condition{fill:#b8821f}
.kp .tip.exit{fill:#3c9463}
.kp .bad .card,.kp .mark{fill:#d0443e}
.kp .bad .mark{stroke:#fff}
.kp .frame.bad>.rim{stroke:#d0443e;stroke-width:2;stroke-opacity:1}
.kp .state{font-size:11.5px;font-weight:600}
.kp .is-skipped,.kp .is-waiting{opacity:.75}
.kp text.number{font-size:11px;font-weight:700}
"""


def state_colour(state: str) -> str:
    """The colour of a state of a task or a run."""
    return COLOURS.get(state, _OTHER)


ON_ANY_GROUND: Final = _RULES + "".join(
    f".kp .is-{state.replace(' ', '-')} .card{{fill:{state_colour(state)}}}\n"
    for state in (*COLOURS, "waiting", "skipped", "not run")
)
"""The style of a picture, for `kalelite.picture.svg.svg_of`."""
