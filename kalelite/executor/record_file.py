"""A task's `Record` as JSON in a file: written atomically, read back whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kalelite.atomic import write_atomically
from kalelite.blake import blake2b
from kalelite.errors import CorruptObjectError
from kalelite.executor.spec import FailureReport, Frame, Record, Slot, fields_of

# Made now: the step may change what it finds in `json`.
encode = json.JSONEncoder(separators=(",", ":"), default=fields_of).encode
"""A record, or data that holds records, as JSON."""
_encode_slot = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


def parse(data: Mapping[str, Any]) -> Record:
    """The record from JSON data; what other versions add is left out."""
    fields = {name: data[name] for name in Record.__match_args__ if name in data}
    for name in ("metrics", "artifacts"):
        fields[name] = tuple(fields.get(name, ()))
    return Record(**{**fields, "failure": _parse_failure(data.get("failure"))})


def is_own(record: Record) -> bool:
    """Whether the step has written it itself, and not who saw from outside that it has ended."""
    return bool(record.versions)


def _parse_failure(data: Mapping[str, Any] | None) -> FailureReport | None:
    if data is None:
        return None
    fields = {name: data[name] for name in FailureReport.__match_args__ if name in data}
    fields["frames"] = tuple(Frame(**frame) for frame in data.get("frames", ()))
    fields["bases"] = tuple(data.get("bases", ()))
    fields["cause"] = _parse_failure(data.get("cause"))
    return FailureReport(**fields)


def commit(record: Record, path: str | Path, *, durable: bool = False) -> None:
    """Write the record; it is there as a whole or not at all. Raises `OSError`."""
    write_atomically(path, encode(record).encode(), durable=durable)


def read(path: str | Path) -> Record | None:
    """The record in a file, None if there is no such file.

    Raises `CorruptObjectError` if the file holds something else.
    """
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        return None
    try:
        return parse(json.loads(data))
    except (ValueError, TypeError, KeyError) as error:
        raise CorruptObjectError(f"{path} is not the record of a task: {error}") from error


def read_attempt(path: str | Path, attempt: int) -> Record | None:
    """The record that an attempt has committed, None if it has left none that can be read."""
    try:
        record = read(path)
    except (CorruptObjectError, OSError):
        return None
    return record if record is not None and record.attempt == attempt else None


_LONGEST = 65_536
"""Characters of an argument's slot above which its digest stands for it."""


def inputs_of(arguments: Mapping[str, Slot]) -> dict[str, Slot]:
    """The arguments of a task as its record keeps them: a long one as ``{"digest": ...}``, a secret, too.

    From which outputs they come is left out: the same values make the same result.
    """
    return {name: _short(_without_origin(slot)) for name, slot in arguments.items()}


def _without_origin(slot: Slot) -> Slot:
    if "secret" in slot:
        return _digested(_encode_slot(slot))
    if "from" in slot:
        return {key: part for key, part in slot.items() if key != "from"}
    return {**slot, "of": [*map(_without_origin, slot["of"])]} if "of" in slot else slot


def _short(slot: Slot) -> Slot:
    if not {"of", "value", "status"} & slot.keys():
        return slot
    text = _encode_slot(slot)
    return slot if len(text) <= _LONGEST else _digested(text)


def _digested(text: str) -> Slot:
    return {"digest": blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()}
