"""Waiting for objects that others work on: all together, with what is known about each.

What an observation means is decided by a pure function; here are only the clock, the calls and
the reports.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum

from kalelite.errors import Problem
from kalelite.frozen import frozen
from kalelite.humanize import duration
from kalelite.volumes.cluster import Cluster
from kalelite.volumes.cluster_errors import NotFoundError, VolumeError
from kalelite.volumes.resources import Json, Resource

DEADLINE = 600.0
"""Seconds that a volume is waited for by default; storage systems may take minutes."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0
_EVENTS_AFTER = 5.0
"""Seconds between two looks at the events of an object that is not ready."""


class Action(Enum):
    """What to do about an object."""

    WAIT = "wait"
    DONE = "done"
    FAIL = "fail"


@frozen
class Verdict:
    """What an observation means. ``note`` says why, ``hint`` what to do about it."""

    action: Action
    note: str = ""
    hint: str = ""


@frozen
class Observed:
    """An object as it is seen: None if it is gone. Ages are in seconds; ``event`` is the last."""

    found: Json | None
    age: float
    deadline: float
    event: str = ""


@frozen
class VolumeProgress:
    """How far one object is: ``claim`` is the user's claim that it is for."""

    noun: str
    name: str
    claim: str
    age: float
    action: Action
    note: str = ""


@frozen
class Awaited:
    """An object to wait for."""

    resource: Resource
    name: str
    uid: str
    claim: str


Report = Callable[[VolumeProgress], None]


def wait_all(
    cluster: Cluster,
    awaited: Sequence[Awaited],
    step: Callable[[Observed], Verdict],
    *,
    deadline: float = DEADLINE,
    report: Report = lambda _: None,
) -> list[Json]:
    """The objects, when ``step`` calls each of them done.

    Raises `VolumeError` with all that failed, when nothing can become done any more.
    """
    begin = cluster.clock()
    done: dict[str, Json] = {}
    failed: dict[str, Problem] = {}
    events: dict[str, tuple[float, str]] = {}
    notes: dict[str, list[str]] = {}
    pause = _FIRST_PAUSE
    while True:
        for item in awaited:
            if item.name in done or item.name in failed:
                continue
            found = _look(cluster, item)
            age = cluster.clock() - begin
            looked, event = events.get(item.name, (0.0, ""))
            if age - looked >= _EVENTS_AFTER or age >= deadline:
                event = _last_event(cluster, item) or event
                events[item.name] = (age, event)
            verdict = step(Observed(found, age, deadline, event))
            seen = notes.setdefault(item.name, [])
            if verdict.note and verdict.note not in seen:
                seen.append(verdict.note)
            report(
                VolumeProgress(
                    item.resource.noun, item.name, item.claim, age, verdict.action, verdict.note
                )
            )
            if verdict.action is Action.DONE and found is not None:
                done[item.name] = found
            elif verdict.action is Action.FAIL:
                failed[item.name] = _problem(item, age, seen, verdict.hint)
        if len(done) + len(failed) == len(awaited):
            break
        cluster.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE)
    if failed:
        raise VolumeError.of(tuple(failed.values()))
    return [done[item.name] for item in awaited]


def why_lost(found: Json | None) -> str:
    """Why an object can never get ready any more; empty if it can."""
    if found is None:
        return "somebody has deleted it"
    if found["metadata"].get("deletionTimestamp"):
        return "somebody is deleting it"
    if (found.get("status") or {}).get("phase") == "Lost":
        return "its volume is lost"
    return ""


def _look(cluster: Cluster, item: Awaited) -> Json | None:
    """The object, or None if it is gone or another one has its name."""
    try:
        found = cluster.get(item.resource, item.name)
    except NotFoundError:
        return None
    return found if found["metadata"]["uid"] == item.uid else None


def _last_event(cluster: Cluster, item: Awaited) -> str:
    """The last warning, else the last event."""
    events = cluster.events(item.uid)
    warnings = [event for event in events if event.type == "Warning"]
    return str((warnings or events)[-1]) if events else ""


def _problem(item: Awaited, age: float, notes: Sequence[str], hint: str) -> Problem:
    """What went wrong, with every distinct note on the way, the last one first."""
    last, *earlier = reversed(notes or ["nothing was heard of it"])
    text = f"{item.resource.noun} {item.name} of claim {item.claim}: {last} (after {duration(age)})"
    if earlier:
        text += "\nbefore that: " + "; ".join(reversed(earlier))
    return Problem(text, hint)
