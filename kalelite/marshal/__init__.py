"""Values on a volume: any Python value comes back as it was, or saving it fails."""

from __future__ import annotations

from kalelite.marshal.manifest import Manifest
from kalelite.marshal.registry import (
    Format,
    FormatStatus,
    UserFormat,
    formats_status,
    register,
    user_formats,
)
from kalelite.marshal.store import Store

__all__ = [
    "Format",
    "FormatStatus",
    "Manifest",
    "Store",
    "UserFormat",
    "formats_status",
    "register",
    "user_formats",
]
