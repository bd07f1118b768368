"""What the libraries of object stores raise, as errors that say what to do."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from kalelite.errors import KaleliteError, TransferError
from kalelite.volumes.stored_object import libraries_for

_NO_CREDENTIALS = ("NoCredentials", "PartialCredentials", "TokenRetrieval", "DefaultCredentials")
_NO_ANSWER = (
    "EndpointConnection",
    "ConnectTimeout",
    "ReadTimeout",
    "ClientConnector",
    "ProxyConnection",
)
_OF_CREDENTIALS = (
    "Give them as the store's own tools take them: variables such as AWS_ACCESS_KEY_ID, a file, the"
    " identity of the machine or pod. A step gets them by"
    " sync.options(secrets={'AWS_ACCESS_KEY_ID': ('my-secret', 'key-id'), ...})(...)."
)


@contextlib.contextmanager
def explained(url: str) -> Iterator[None]:
    """Raise what goes wrong with a store in the block as a `TransferError`."""
    try:
        yield
    except KaleliteError:
        raise
    except Exception as error:  # each store's library has a tree of errors of its own
        raise _explained(url, error) from error


def _explained(url: str, error: Exception) -> TransferError:
    names = " ".join(type(each).__name__ for each in _chain(error))
    bucket = "/".join(url.split("/")[:3])
    if isinstance(error, ImportError):
        needed = libraries_for(url)
        return TransferError(
            f"{url} cannot be reached: {error.name or needed[-1]} is not installed",
            hint=f"pip install {' '.join(needed)}, and packages={needed} for a step elsewhere.",
        )
    token = os.environ.get("AWS_WEB_IDENTITY_TOKEN_FILE")
    lacks_token = bool(token) and isinstance(error, OSError) and error.filename == token
    if lacks_token or any(name in names for name in _NO_CREDENTIALS):
        why = f": the token of the pod's identity cannot be read: {error}" if lacks_token else ""
        return TransferError(f"there are no credentials for {bucket}{why}", hint=_OF_CREDENTIALS)
    if any(name in names for name in _NO_ANSWER):
        return TransferError(
            f"the store of {bucket} does not answer: {error}",
            hint="Check the network, and the endpoint (AWS_ENDPOINT_URL for S3).",
        )
    if isinstance(error, PermissionError):
        return TransferError(
            f"{url} may not be read or written: {error}",
            hint=f"Check the rights of the credentials that are used. {_OF_CREDENTIALS}",
        )
    if isinstance(error, FileNotFoundError):
        return TransferError(
            f"there is no bucket {bucket}, or something in it has gone: {error}",
            hint="Check the name; a bucket is made with the store's own tools.",
        )
    return TransferError(f"{url} cannot be copied: {type(error).__name__}: {error}")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
