"""How the body of an `ExitHandler` ended, as its handler step receives it."""

from __future__ import annotations

from kalelite.frozen import frozen


@frozen
class FinalStatus:
    """How a run, or the part of it under an `ExitHandler`, ended.

    A step that runs as a handler asks for it by annotating a parameter with it.

    Attributes
    ----------
    state
        ``"SUCCEEDED"``, ``"FAILED"`` or ``"CANCELLED"``.
    failed_task
        The task that failed first, empty if none did.
    message
        Its error in one line, empty if none failed.
    """

    state: str
    failed_task: str = ""
    message: str = ""
