"""The order in which captured units are loaded.

This module travels with the steps. It imports the standard library only.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Any


def in_order(
    index: Mapping[str, Any], names: Iterable[tuple[str, str]], loaded: Container[str]
) -> list[str]:
    """The units to be loaded for these names: what one leads to first, as far as that can be.

    Making an object may run methods of its class, with all that these look up, so definitions
    come before objects.
    """
    units, namespaces = index["units"], index["namespaces"]

    def below(names: Iterable[tuple[str, str]]) -> Iterator[str]:
        return iter([namespaces[space]["names"][name] for space, name in names])

    found: dict[str, bool] = {}
    seen: set[str] = set()
    stack = [("", below(names))]
    while stack:
        unit, rest = stack[-1]
        following = next(
            (other for other in rest if other not in seen and other not in loaded), None
        )
        if following is not None:
            seen.add(following)
            stack.append((following, below(units[following]["needs"])))
            continue
        stack.pop()
        if unit:
            found[unit] = "objects" in units[unit]
    return sorted(found, key=lambda unit: found[unit])
