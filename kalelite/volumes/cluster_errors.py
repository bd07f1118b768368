"""What can go wrong with a cluster: the classes below `kalelite.errors.ClusterError`.

- `ApiError`: the API server refused, and ``status`` is the HTTP code

  - `UnauthorizedError`: 401, the credentials are not valid, or not any more
  - `ForbiddenError`: 403, a right is missing; `QuotaError`: 403, a quota or a limit range
  - `NotFoundError`: 404, no such object; `MissingApiError`: 404, no such kind of object
  - `ConflictError`: 409; `InvalidError`: 400 and 422

- `UnreachableError`: no answer, or none of an API server, for as long as was tried
- `VolumeError`: a snapshot or a claim did not become what it should
"""

from __future__ import annotations

import json
from typing import Any

from kalelite.errors import ClusterError, KaleliteError


class ApiError(ClusterError):
    """The API server refused a request. ``reason`` is its own word for why."""

    def __init__(self, message: str, *, status: int, reason: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.reason = reason


class UnauthorizedError(ApiError):
    """The credentials are not valid, or not any more."""


class ForbiddenError(ApiError):
    """A right is missing."""


class QuotaError(ApiError):
    """A quota or a limit range of the namespace does not allow it."""


class NotFoundError(ApiError):
    """The object does not exist."""


class MissingApiError(ApiError):
    """The cluster does not have this kind of object: its definition is not installed."""


class ConflictError(ApiError):
    """The name is taken, or the object has changed meanwhile."""


class InvalidError(ApiError):
    """The object is not one that Kubernetes allows."""


class UnreachableError(ClusterError):
    """The API server did not answer, or something else did; ``lasting`` if it will stay so."""

    def __init__(self, message: str, *, hint: str = "", lasting: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.lasting = lasting


class VolumeError(ClusterError):
    """A snapshot or a claim did not become what it should."""


def refusal(status: int, body: bytes, deed: str) -> ApiError:
    """The error for an answer of the API server; ``deed`` is what was asked of it."""
    answer = _status_object(body)
    if answer is None:
        return _plain_refusal(status, body, deed)
    reason, message = str(answer.get("reason", "")), str(answer.get("message", ""))
    causes = {cause.get("reason") for cause in _causes(answer)}
    kind: type[ApiError] = _KINDS.get(status, ApiError)
    hint = _HINTS.get(kind, "")
    lower = message.lower()
    if status == 403 and "NamespaceTerminating" in causes:
        kind, hint = ApiError, "The namespace is being deleted: use another one."
    elif status == 403 and ("exceeded quota" in lower or "usage per " in lower):
        kind = QuotaError
        hint = "Free something in the namespace, ask for less, or have the limit raised."
    elif "admission webhook" in lower:
        kind, hint = ApiError, "A policy of the cluster refuses it: its administrator can tell why."
    elif status == 409 and "object is being deleted" in lower:
        hint = "Wait until it is gone, or use another name."
    return kind(f"{deed}: {message or reason}", status=status, reason=reason, hint=hint)


def advise(error: BaseException, advice: str) -> None:
    """Add what to do to an error, or to an interrupt."""
    if isinstance(error, KaleliteError):
        error.hint = f"{error.hint}\n{advice}".lstrip()
    else:
        error.add_note(advice)


def is_conflict_of_names(error: ConflictError) -> bool:
    """Whether an object of that name is there, and stays."""
    return error.reason == "AlreadyExists" and "object is being deleted" not in error.message


def _plain_refusal(status: int, body: bytes, deed: str) -> ApiError:
    if status == 404 and not body.lstrip().startswith(b"<"):
        hint = "Have the definition of that kind of object installed in the cluster."
        return MissingApiError(
            f"{deed}: the cluster does not know such objects", status=status, hint=hint
        )
    kind = UnauthorizedError if status == 401 else ApiError
    text = body[:200].decode("utf-8", "replace").strip()
    return kind(f"{deed}: HTTP {status}: {text}", status=status, hint=_HINTS.get(kind, ""))


def _status_object(body: bytes) -> dict[str, Any] | None:
    try:
        answer = json.loads(body)
    except ValueError:
        return None
    return answer if isinstance(answer, dict) and answer.get("kind") == "Status" else None


def _causes(answer: dict[str, Any]) -> list[dict[str, Any]]:
    return (answer.get("details") or {}).get("causes") or []


_KINDS: dict[int, type[ApiError]] = {
    400: InvalidError,
    401: UnauthorizedError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    422: InvalidError,
}
_HINTS: dict[type[ApiError], str] = {
    UnauthorizedError: "Log in again: the token or certificate is not valid any more.",
    ForbiddenError: "Ask the cluster's administrator for this right.",
}
