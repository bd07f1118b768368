"""What stands in the way of snapshots and clones: all of it in one report, before any is made.

Everything here is a pure function of what `kalelite.volumes.storage_facts` has read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import PurePosixPath

from kalelite.errors import ClusterError, Problem
from kalelite.frozen import frozen
from kalelite.volumes.discover import MountedVolume, Notebook
from kalelite.volumes.marshal_check import marshal_problems, shared_use
from kalelite.volumes.quota import quota_problems
from kalelite.volumes.resources import CLAIMS, SNAPSHOTS
from kalelite.volumes.snapshot_classes import choose_class
from kalelite.volumes.storage_facts import Facts
from kalelite.volumes.wishes import Wishes

_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"


@frozen
class Preflight:
    """What was found. ``classes`` are the snapshot classes by claim; None is the default one.

    ``late`` are the storage classes whose volumes wait for their first pod, None if classes may
    not be read. ``may_clone`` is
    whether these credentials may make claims; if not, steps of the run can. ``notes`` are what
    the user should know, and nothing that has to be changed.
    """

    problems: tuple[Problem, ...]
    notes: tuple[str, ...]
    classes: Mapping[str, str | None]
    late: frozenset[str] | None
    may_clone: bool = True

    def require(self) -> None:
        """Raise `ClusterError` with all problems, if there is one."""
        if self.problems:
            raise ClusterError.of(self.problems)


def preflight(
    book: Notebook,
    facts: Facts,
    wishes: Wishes,
    *,
    lasting: MountedVolume | None = None,
    free: int | None = None,
) -> Preflight:
    """Judge a notebook's volumes.

    ``lasting`` is the lasting marshal claim as it was found, None if there is none of that name;
    ``free`` are the bytes free on it, where it is mounted here.
    """
    problems: list[Problem] = []
    classes: dict[str, str | None] = {}
    problems += _rights(book, facts, wishes)
    if not facts.has_snapshots:
        hint = "Its administrator has to install the snapshot controller and its definitions."
        problems.append(Problem("the cluster does not know VolumeSnapshots", hint))
    if not book.volumes and not wishes.clones:
        hint = "Only claims that the notebook mounts can be snapshotted."
        problems.append(Problem(f"the notebook {book.pod} mounts no claim", hint))
    for volume in {each.claim: each for each in book.volumes}.values():
        found = [*_usable(volume, facts, wishes), *_modes(volume, wishes)]
        problems += found
        if wishes.snapshots and facts.has_snapshots and volume.phase == "Bound":
            choice = choose_class(_driver(volume, facts), facts, wishes.snapshot_class)
            if isinstance(choice, Problem):
                problems.append(replace(choice, message=f"claim {volume.claim}: {choice.message}"))
            else:
                classes[volume.claim] = choice
    problems += _kept(book, facts, wishes)
    problems += marshal_problems(facts, wishes, lasting, free)
    problems += quota_problems(book, facts, wishes, len(classes))
    notes = [*_notes_of_notebook(book), *_notes_of_cluster(book, facts, wishes, classes)]
    known = facts.storage_classes
    late = None if known is None else frozenset(each.name for each in known.values() if each.late)
    return Preflight(
        tuple(problems), tuple(notes), classes, late, may_clone=CLAIMS not in facts.missing
    )


def _driver(volume: MountedVolume, facts: Facts) -> str:
    known = (facts.storage_classes or {}).get(volume.storage_class or "")
    return known.driver if known else volume.driver


def _usable(volume: MountedVolume, facts: Facts, wishes: Wishes) -> Iterator[Problem]:
    claim = f"claim {volume.claim}"
    if volume.phase != "Bound":
        hint = (
            "A volume has to be there before a snapshot of it can be: look at the claim's events."
        )
        yield Problem(f"{claim} is not bound but {volume.phase}", hint)
    if not wishes.clones:
        return
    name = wishes.storage_class or volume.storage_class
    if not name:
        hint = "Name the class of the clones with storage_class=."
        yield Problem(f"{claim} has no storage class, so none of its clones could be made", hint)
        return
    if facts.storage_classes is None:
        return
    known = facts.storage_classes.get(name)
    if known is None:
        listed = ", ".join(facts.storage_classes)
        yield Problem(f"{claim}: the storage class {name!r} does not exist", f"There are {listed}.")
    elif _driver(volume, facts) not in {"", known.driver}:
        yield Problem(
            f"{claim}: the storage class {name!r} is of the driver {known.driver}, the volume of"
            f" {_driver(volume, facts)}",
            "A snapshot can be cloned by its own driver only.",
        )


def _modes(volume: MountedVolume, wishes: Wishes) -> Iterator[Problem]:
    """Volumes that the pods of the run could not mount together: they would wait for ever."""
    if wishes.clones:
        yield from shared_use(f"the clone of claim {volume.claim}", _made(volume, wishes), wishes)


def _made(volume: MountedVolume, wishes: Wishes) -> tuple[str, ...]:
    """The access modes of a volume's clone."""
    return (wishes.access_mode,) if wishes.access_mode else volume.modes


def _kept(book: Notebook, facts: Facts, wishes: Wishes) -> Iterator[Problem]:
    """Snapshots that steps are to take, of a class that there is not or that is of another driver."""
    for folder, name in wishes.kept:
        held = [
            each
            for each in book.volumes
            if (each.workspace and folder == "workspace")
            or PurePosixPath(folder).is_relative_to(each.path)
        ]
        volume = max(held, key=lambda each: len(each.path), default=None)
        choice = choose_class(_driver(volume, facts) if volume else "", facts, name)
        if isinstance(choice, Problem):
            yield replace(choice, message=f"snapshot({folder!r}): {choice.message}")


def _rights(book: Notebook, facts: Facts, wishes: Wishes) -> Iterator[Problem]:
    for resource, verbs in facts.missing.items():
        needless = not (facts.has_snapshots and wishes.snapshots)
        if resource == CLAIMS or (resource == SNAPSHOTS and needless):
            continue
        yield Problem(
            f"you may not {', '.join(verbs)} {resource.full_name} in namespace {book.namespace}",
            "kalelite doctor prints the Role that the namespace's administrator has to make.",
        )


def _notes_of_notebook(book: Notebook) -> Iterator[str]:
    for other in book.others:
        if other.path == _ACCOUNT:  # every pod has it
            continue
        place = f" at {other.path}" if other.path else ""
        yield f"volume {other.name}{place} is left out: {other.why}"
    if book.workspace is None:
        where = f"the folder {book.directory}" if book.directory else "the folder one works in"
        yield f"{where} is on none of the volumes, so no step finds what is in it"
    if not book.here:
        yield f"this process is not in {book.pod}: what it has not written to disk yet is missing"
    twice = [each.claim for each in book.volumes]
    for claim in sorted({each for each in twice if twice.count(each) > 1}):
        yield f"claim {claim} is mounted {twice.count(claim)} times: each place gets its own clone"


def _notes_of_cluster(
    book: Notebook, facts: Facts, wishes: Wishes, classes: Mapping[str, str | None]
) -> Iterator[str]:
    if wishes.clones and CLAIMS in facts.missing:
        verbs = ", ".join(facts.missing[CLAIMS])
        yield f"you may not {verbs} {CLAIMS.full_name}: steps of the run will make the clones"
    if facts.snapshot_classes is None and wishes.snapshots:
        yield "snapshot classes may not be read: the snapshot controller's default is taken"
    for each in facts.snapshot_classes or ():
        if each.retain and each.name in classes.values():
            yield f"snapshot class {each.name} keeps the data of snapshots that are deleted"
    used = {wishes.storage_class or each.storage_class for each in book.volumes}
    for known in (facts.storage_classes or {}).values():
        if known.retain and known.name in used and wishes.clones:
            yield f"storage class {known.name} keeps the data of clones that are deleted"
    yield from _one_node(book, facts, wishes)


def _one_node(book: Notebook, facts: Facts, wishes: Wishes) -> Iterator[str]:
    """Volumes for one node at a time, for steps that may be put on several."""
    if facts.nodes == 1 or not (wishes.wide and wishes.clones) or wishes.one_node:
        return
    made = {f"the clone of {each.claim}": _made(each, wishes) for each in book.volumes}
    if wishes.marshal_volume is True:
        made["the marshal volume"] = (wishes.access_mode or "ReadWriteOnce",)
    names = [
        what
        for what, modes in made.items()
        if "ReadWriteOnce" in modes and "ReadWriteMany" not in modes
    ]
    if names:
        yield (
            f"{', '.join(names)}: for one node at a time (ReadWriteOnce), so steps that go side by"
            f" side wait for each other on {facts.nodes or 'several'} nodes; access_mode="
            "'ReadWriteMany', with a storage_class= that offers it, lets them go, node_selector="
            " puts them on one node, @pipeline(order='calls') one after the other"
        )
