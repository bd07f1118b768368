"""What looks like a secret and must not stand in a pipeline in the clear."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from kalelite.plan.options.values import NotSecret

_WORDS = "token|secrets?|password|passwd|passphrase|credentials?|apikey"
_KEYS = {"api", "access", "private", "secret", "account", "signing", "encryption", "ssh", "license"}
_HARMLESS_ENDS = {"file", "path", "dir", "name", "id", "url", "uri", "limit", "count", "type"}
_SHAPES = (
    r"(?a)gh[pousr]_\w{20,}|github_pat_\w{20,}|hf_\w{20,}|sk-[\w-]{20,}|AKIA[A-Z0-9]{16}"
    r"|xox[abpr]-[\w-]+|-----BEGIN [A-Z ]*PRIVATE KEY-----|\b[a-z]\w{0,20}://[^/\s:@]+:[^/\s@]+@"
    r"|Bearer \S{16,}"
)

_OF_A_LANGUAGE = r"<[^<>]*>|\[\w+\]"
"""Tokens that models of texts have: ``</s>``, ``[PAD]``."""


def secret_reason(variable: str, value: str) -> str | None:
    """Why a variable seems to hold a secret, as the end of a sentence; None if it does not.

    The name counts by its words: ``HF_TOKEN`` and ``API_KEY`` are secret, ``SORT_KEY`` and
    ``TOKENIZERS_PARALLELISM`` are not, nor is the path of a file with credentials.
    """
    if isinstance(value, NotSecret) or not value or re.fullmatch(_OF_A_LANGUAGE, value):
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


def secrets_in(name: str, value: Any) -> Iterator[str]:
    """Why a value, or a text in it, seems to be a secret: a reason for each."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = vars(value) if hasattr(value, "__dict__") else {}
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from secrets_in(str(key), part)
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from secrets_in(name, part)
    elif isinstance(value, str) and (reason := secret_reason(name, value)):
        yield reason


def masked(name: str, value: Any) -> Any:
    """A value of JSON with dots for every text in it that seems to be a secret."""
    if isinstance(value, dict):
        return {key: masked(key, part) for key, part in value.items()}
    if isinstance(value, list):
        return [masked(name, part) for part in value]
    return without_secret(name, value) if isinstance(value, str) else value


def masked_words(words: Sequence[str]) -> list[str]:
    """A command line with dots for the secrets in it: ``-p token=•••``, ``--api-key •••``."""
    return [_masked_word(before, word) for before, word in zip(["", *words], words, strict=False)]


def _masked_word(before: str, word: str) -> str:
    pair = _PAIR.fullmatch(word)
    if pair is not None:
        return f"{pair['start']}{_DOTS}" if secret_reason(pair["name"], pair["value"]) else word
    name = before[2:] if before.startswith("--") and not word.startswith("-") else ""
    return _DOTS if secret_reason(name, word) else word


def unmasked_words(words: Sequence[str], secret: Callable[[str], str]) -> list[str]:
    """The command line again; ``secret`` is called with the name of each secret."""
    found: list[str] = []
    for before, word in zip(["", *words], words, strict=False):
        pair = _PAIR.fullmatch(word)
        if word == _DOTS:
            found.append(secret(before.lstrip("-") or "argument"))
        elif pair is not None and pair["value"] == _DOTS:
            found.append(f"{pair['start']}{secret(pair['name'])}")
        else:
            found.append(word)
    return found


def is_masked(value: Any) -> bool:
    """Whether a value of JSON has dots in the place of a secret."""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return value == _DOTS or any(map(is_masked, parts))


def without_secret(name: str, value: str) -> str:
    """The value, or dots if it looks like a secret or is named like one."""
    return _DOTS if secret_reason(name, value) else hide_secrets(value)


def hide_secrets(text: str) -> str:
    """The text with dots for what looks like a secret, as in a log or in source."""
    text = re.sub(rf"{_SHAPES}", _DOTS, re.sub(_KEY_BLOCK, _DOTS, text))
    return re.sub(_ASSIGNED, _hidden, text)


_DOTS = "•••"
_PAIR = re.compile(r"(?s)(?P<start>(?:-p|--param=|--)?(?P<name>[\w-]+)=)(?P<value>.*)")
_KEY_BLOCK = r"(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*-----|\Z)"
_ASSIGNED = (
    # Names of bounded length, from their beginning on: a log may hold a line of many megabytes.
    r"""(?<![\w-])(?P<name>[\w-]{1,80})(?P<between>["']?\]?[ \t]*[=:][ \t]*)(?P<quote>["'])(?P<value>[^"'\n]+)(?P=quote)"""
)


def _hidden(found: re.Match[str]) -> str:
    if secret_reason(found["name"], found["value"]) is None:
        return found[0]
    return f"{found['name']}{found['between']}{found['quote']}{_DOTS}{found['quote']}"
