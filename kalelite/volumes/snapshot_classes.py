"""Which snapshot class a volume's snapshot is of."""

from __future__ import annotations

from kalelite.errors import Problem
from kalelite.volumes.storage_facts import Facts, SnapshotClass


def choose_class(driver: str, facts: Facts, wish: str | None) -> str | Problem | None:
    """The snapshot class for a driver's volumes; None leaves it to the snapshot controller.

    The one asked for; else the default one of the driver; else the only one of the driver.
    """
    found = facts.snapshot_classes
    if found is None:
        return wish
    own = [each for each in found if each.driver == driver or not driver]
    if wish is not None:
        return _wished(wish, driver, found)
    if not driver:
        return None
    defaults = [each for each in own if each.default]
    candidates = defaults or own
    if len(candidates) == 1:
        return candidates[0].name
    if candidates:
        listed = ", ".join(each.name for each in candidates)
        what = "default snapshot classes" if defaults else "snapshot classes and no default one"
        return Problem(
            f"the driver {driver} has {len(candidates)} {what}: {listed}",
            "Choose one with snapshot_class=.",
        )
    others = ", ".join(f"{each.name} ({each.driver})" for each in found) or "none"
    hint = f"The snapshot classes of the cluster are: {others}. Can the driver make snapshots?"
    return Problem(f"the driver {driver} has no snapshot class", hint)


def _wished(wish: str, driver: str, found: tuple[SnapshotClass, ...]) -> str | Problem:
    chosen = next((each for each in found if each.name == wish), None)
    if chosen is None:
        listed = ", ".join(each.name for each in found if each.driver == driver) or "none"
        hint = f"Those of the driver {driver} are: {listed}."
        return Problem(f"there is no snapshot class {wish!r}", hint)
    if driver and chosen.driver != driver:
        # The API takes it, and the snapshot is never ready and cannot be deleted.
        return Problem(
            f"the snapshot class {wish!r} is of the driver {chosen.driver}, the volume of {driver}",
            "Leave snapshot_class out, or name a class of the volume's driver.",
        )
    return wish
