"""BLAKE2 alone: `hashlib` also loads OpenSSL, which takes a fiftieth of a start."""

try:
    from _blake2 import blake2b
except ImportError:
    from hashlib import blake2b

__all__ = ["blake2b", "hashed"]


def hashed(*parts: bytes) -> bytes:
    """A digest of these parts, in this order."""
    digest = blake2b(digest_size=16)
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.digest()
