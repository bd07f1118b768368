"""What looks like a secret and must not stand in a pipeline in the clear."""

from __future__ import annotations

import re

from kalelite.plan.options.values import NotSecret

_WORDS = "token|secrets?|password|passwd|passphrase|credentials?|apikey"
_KEYS = {"api", "access", "private", "secret", "account", "signing", "encryption", "ssh", "license"}
_HARMLESS_ENDS = {"file", "path", "dir", "name", "id", "url", "uri", "limit", "count", "type"}
_SHAPES = (
    r"(?a)gh[pousr]_\w{20}|github_pat_\w{20}|hf_\w{20}|sk-[\w-]{20}|AKIA[A-Z0-9]{16}|xox[abpr]-\w"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----|[a-z]\w*://[^/\s:@]+:[^/\s@]+@|Bearer \S{16}"
)


def secret_reason(variable: str, value: str) -> str | None:
    """Why a variable seems to hold a secret, as the end of a sentence; None if it does not.

    The name counts by its words: ``HF_TOKEN`` and ``API_KEY`` are secret, ``SORT_KEY`` and
    ``TOKENIZERS_PARALLELISM`` are not, nor is the path of a file with credentials.
    """
    if isinstance(value, NotSecret) or not value:
        return None
    if re.search(_SHAPES, value):
        return "has a value that looks like a secret"
    words = [word for word in re.split(r"[^a-z0-9]+", variable.lower()) if word]
    if not words or words[-1] in _HARMLESS_ENDS or value.startswith("/"):
        return None
    keyed = words[-1] == "key" and any(word in _KEYS for word in words[:-1])
    if keyed or any(re.fullmatch(_WORDS, word) for word in words):
        return "is named like a secret"
    return None
