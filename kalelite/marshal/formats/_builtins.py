"""Wakes the formats of the standard library: every value is an `object`."""

from __future__ import annotations

from kalelite.marshal.formats import _pickle, _plain

__all__ = ["_pickle", "_plain"]
