"""Names: what a user may call things, and what a name becomes where the rules are stricter."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container

from kalelite.errors import UsageError

_LABEL = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_QUALIFIED = r"[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?"
_ALPHABET = "letters, digits, '-', '_' and '.', with a letter or digit at both ends"
_SPELLED = r"LATIN SMALL LETTER ([A-Z]{1,2})(?: WITH .*)?|GREEK SMALL LETTER (?:FINAL )?([A-Z]+)"
_ENV = r"[A-Za-z_][A-Za-z0-9_]*"
_SYSTEM_FOLDERS = ("bin", "boot", "dev", "etc", "lib", "lib64", "proc", "run", "sbin", "sys", "usr")
_ACCESS_MODES = {
    "ReadWriteOnce": ("rwo",),
    "ReadOnlyMany": ("rox", "rom"),
    "ReadWriteMany": ("rwx", "rwm"),
    "ReadWriteOncePod": ("rwop",),
}


def slug(text: str, *, limit: int = 40) -> str:
    """The name in lower-case letters, digits and hyphens, at most ``limit`` characters.

    Accents go, Latin and Greek letters are spelled, everything else that is not allowed becomes a hyphen. A name that loses its
    letters or its end on the way gets eight digits of its digest, so that two names that differ
    in what was lost do not become one.
    """
    plain = unicodedata.normalize("NFKD", text)
    plain = "".join(char for char in plain if not unicodedata.combining(char)).casefold()
    plain = plain if plain.isascii() else "".join(map(_spelled, plain))
    result = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    lost = len(result) > limit or not result or any(ord(char) > 127 for char in plain)
    if not lost:
        return result
    import hashlib  # here: few names need it, and it is slow to import

    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{result[: limit - 9].strip('-')}-{digest}".lstrip("-")


def _spelled(char: str) -> str:
    """``o`` for ``ø``, ``sigma`` for the Greek letter; other characters as they are."""
    found = re.fullmatch(_SPELLED, unicodedata.name(char, ""))
    return "".join(filter(None, found.groups())).lower() if found else char


def unique(name: str, taken: Container[str], *, separator: str = "-") -> str:
    """``name``, or ``name-2``, ``name-3``, … : the first that is not taken."""
    if name not in taken:
        return name
    number = 2
    while f"{name}{separator}{number}" in taken:
        number += 1
    return f"{name}{separator}{number}"


def object_name(value: str, name: str) -> str:
    """The name of a Kubernetes object: dotted DNS labels, at most 253 characters."""
    _text(value, name)
    if len(value) > 253:
        message = f"{name}={_short(value)} has {len(value)} characters; 253 are allowed"
        raise UsageError(message, hint="Copy the name as `kubectl get` shows it.")
    if not all(re.fullmatch(_LABEL, part) for part in value.split(".")):
        message = f"{name}={_short(value)} is not a name that Kubernetes allows"
        hint = f"Lower-case letters, digits and inner hyphens: {slug(value)!r}."
        raise UsageError(message, hint=hint)
    return value


def env_name(value: str, name: str = "env") -> str:
    """The name of an environment variable that every shell can read."""
    _text(value, name)
    if re.fullmatch(_ENV, value) is None:
        better = re.sub(r"\W+", "_", value, flags=re.ASCII).strip("_") or "NAME"
        better = f"_{better}" if better[0].isdigit() else better
        hint = f"Letters, digits and underscores, no digit first: {better!r}."
        raise UsageError(f"{name}: {value!r} is not the name of an environment variable", hint=hint)
    return value


def label_key(value: str, name: str = "labels") -> str:
    """A label or annotation key: a name of 63 characters with an optional ``domain/`` before it."""
    _text(value, name)
    prefix, slash, last = value.rpartition("/")
    if slash:
        object_name(prefix, name=f"{name}: the part before '/' of {_short(value)}")
    if len(last) > 63 or re.fullmatch(_QUALIFIED, last) is None:
        hint = f"A key is at most 63 {_ALPHABET}; 'example.com/' may stand before it."
        raise UsageError(f"{name}: {_short(value)} is not a key", hint=hint)
    return value


def label_value(value: str, name: str = "labels") -> str:
    """The value of a label or node selector: 63 characters of the plain alphabet, or nothing."""
    _text(value, name)
    if value and (len(value) > 63 or re.fullmatch(_QUALIFIED, value) is None):
        more = f" and has {len(value)} characters" if len(value) > 63 else ""
        message = f"{name}: {_short(value)} cannot be the value of a label{more}"
        hint = f"A value is at most 63 {_ALPHABET}; longer text belongs in annotations."
        raise UsageError(message, hint=hint)
    return value


def mount_path(value: str, name: str = "volumes") -> str:
    """A place in a container where a volume may be mounted; a trailing slash is dropped."""
    _text(value, name)
    path = value.rstrip("/") if len(value) > 1 else value
    parts = path.split("/")
    if not value.startswith("/"):
        wrong, hint = "is relative", f"Write '/{value.lstrip('./')}'."
    elif ":" in value or "\0" in value:
        wrong, hint = "holds a character that no mount may have", "Leave out ':' and NUL."
    elif ".." in parts or "." in parts or "" in parts[1:-1]:
        wrong, hint = "is not a plain path", "Write it without '.', '..' and '//'."
    elif path in {"", "/"}:
        wrong, hint = "would hide the whole image", "Write a folder, as '/data'."
    elif parts[1] in _SYSTEM_FOLDERS:
        wrong = "would hide a part of the system"
        hint = "Mount it in a folder of its own, such as '/data'."
    else:
        return path
    raise UsageError(f"{name}: the path {value!r} {wrong}", hint=hint)


def access_mode(value: str, name: str = "access_mode") -> str:
    """The access mode of a volume in full: ``"rwo"`` is ``"ReadWriteOnce"``."""
    _text(value, name)
    for mode, short in _ACCESS_MODES.items():
        if value.lower() in {mode.lower(), *short}:
            return mode
    hint = "Write 'ReadWriteOnce', 'ReadWriteMany', 'ReadOnlyMany' or 'ReadWriteOncePod'."
    raise UsageError(f"{name}={value!r} is not an access mode", hint=hint)


def _text(value: object, name: str) -> None:
    if not isinstance(value, str):
        message = f"{name}: {value!r} is not text but {type(value).__name__}"
        raise UsageError(message, hint="Write it in quotes.")
    if not value and name not in {"labels", "node_selector"}:
        raise UsageError(f"{name} is empty", hint="Write a name, or leave the option out.")


def _short(value: str) -> str:
    return repr(value if len(value) <= 60 else value[:57] + "…")
