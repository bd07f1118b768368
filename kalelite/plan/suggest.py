"""The name that was most likely meant."""

from __future__ import annotations

from collections.abc import Collection


def did_you_mean(name: str, known: Collection[str]) -> str:
    """``Did you mean 'x'?``, or nothing if no known name is near."""
    import difflib  # here: only mistakes need it

    near = difflib.get_close_matches(name, sorted(known), 1, 0.6)
    if not near:
        folded = {entry.lower(): entry for entry in known}
        near = [folded[name.lower()]] if name.lower() in folded else []
    return f"Did you mean {near[0]!r}?" if near else ""
