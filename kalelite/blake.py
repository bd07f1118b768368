"""BLAKE2 alone: `hashlib` also loads OpenSSL, which takes a fiftieth of a start."""

try:
    from _blake2 import blake2b
except ImportError:
    from hashlib import blake2b

__all__ = ["blake2b"]
