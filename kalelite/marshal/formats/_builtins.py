"""Wakes the formats of the standard library: every value is an `object`."""

from __future__ import annotations

from kalelite.marshal.formats import _json, _pickle

__all__ = ["_json", "_pickle"]
