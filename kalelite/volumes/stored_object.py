"""What object stores tell of an object, and the digests of a file in their terms."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kalelite.frozen import frozen

MULTIPART = 50 << 20
"""Bytes of a part of a large upload; s3fs sends what is shorter than two of them in one piece."""

_ATOMIC = ("abfs", "abfss", "az", "gcs", "gs", "memory", "s3", "s3a")
_LIBRARIES = {
    "s3": "s3fs",
    "s3a": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "az": "adlfs",
    "abfs": "adlfs",
    "abfss": "adlfs",
}


def is_url(text: str) -> bool:
    """Whether it names a place in a store, as ``s3://bucket/prefix`` does."""
    return re.match(r"[a-z][a-z0-9+.-]*://", text) is not None


def is_object_store(url: str) -> bool:
    """Whether an object appears there at one stroke; in other places a rename does that."""
    return url.partition("://")[0] in _ATOMIC


def libraries_for(url: str) -> list[str]:
    """The packages that are needed to reach a URL."""
    library = _LIBRARIES.get(url.partition("://")[0])
    return ["fsspec", *([library] if library else [])]


@frozen
class StoredObject:
    """An object: its size, what tells its versions apart, and its ETag or MD5, if there is one."""

    size: int
    version: str
    etag: str

    @classmethod
    def of(cls, info: Mapping[str, Any]) -> StoredObject:
        """What fsspec tells of an object."""
        etag = str(info.get("ETag") or "").strip('"')
        coded = info.get("md5Hash") or (info.get("content_settings") or {}).get("content_md5")
        if coded:
            etag = (base64.b64decode(coded) if isinstance(coded, str) else bytes(coded)).hex()
        times = (info.get(name) for name in ("generation", "mtime", "LastModified", "created"))
        version = etag or next((str(each) for each in times if each), "")
        is_digest = re.fullmatch(r"[0-9a-f]{32}(-\d+)?", etag)
        return cls(int(info.get("size") or 0), version, etag if is_digest else "")

    @property
    def has_md5(self) -> bool:
        """Whether the ETag is that of one piece: else who uploaded it has chosen the pieces."""
        return bool(self.etag) and "-" not in self.etag


def digests_of(path: Path) -> set[str]:
    """The ETags that a file has as an object of ours: its MD5, and that of its parts."""
    whole, parts = hashlib.md5(usedforsecurity=False), []
    with path.open("rb") as file:
        while chunk := file.read(MULTIPART):
            whole.update(chunk)
            parts.append(hashlib.md5(chunk, usedforsecurity=False).digest())
    joined = hashlib.md5(b"".join(parts), usedforsecurity=False).hexdigest()
    return {whole.hexdigest(), *([f"{joined}-{len(parts)}"] if parts[1:] else [])}


def has_other_digest(fs: Any, path: str, there: StoredObject) -> bool:
    """Whether an ETag is no MD5: so it is for what S3 encrypts by a key of one's own."""
    if not there.etag or not hasattr(fs, "call_s3"):
        return not there.etag
    bucket, _, key = path.partition("/")
    head = fs.call_s3("head_object", Bucket=bucket, Key=key)
    return "SSECustomerAlgorithm" in head or "kms" in str(head.get("ServerSideEncryption", ""))
