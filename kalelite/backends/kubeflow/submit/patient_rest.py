"""The HTTP of kfp's clients with time limits, repetition, and answers that are what they should be.

kfp's own calls wait for ever, and show whatever a proxy answers as a fault of their own.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, Final, cast

import urllib3
from kfp_server_api import ApiException, Configuration  # type: ignore[import-untyped]
from kfp_server_api.rest import RESTClientObject, RESTResponse  # type: ignore[import-untyped]

from kalelite.errors import ClusterError

WAITS: Final = (0.5, 1.0, 2.0, 4.0)
"""Seconds before each repetition of a request that got no proper answer."""

LIMIT: Final = (10.0, 60.0)
"""Seconds for a connection, and for an answer that has stopped coming."""

_PASSING = {408, 425, 429, 500, 502, 503, 504}
_UNSENT = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)


class KfpRefusedError(ClusterError, ApiException):  # type: ignore[misc]
    """The API has answered that it will not do that; ``status`` is HTTP's.

    It is an error of kfp's clients, too, some of which go on after it.
    """

    def __init__(self, message: str, status: int, *, hint: str = "") -> None:
        ClusterError.__init__(self, message, hint=hint)
        self.status = status
        self.body = b""


class KfpUnreachableError(ClusterError):
    """No proper answer has come; it may, later. ``sent``: the request may have been carried out."""

    def __init__(self, message: str, *, hint: str = "", sent: bool = True) -> None:
        super().__init__(message, hint=hint)
        self.sent = sent


class PatientRest(RESTClientObject):  # type: ignore[misc]
    """Sends the requests of a `kfp_server_api.ApiClient`.

    What only reads is repeated until it is answered; what changes something only where it has
    surely not been carried out.
    """

    def __init__(
        self,
        configuration: Configuration,
        waits: tuple[float, ...] = WAITS,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        configuration.retries = False  # this class repeats, urllib3 does not
        super().__init__(configuration)
        self.received = 0
        """Bytes of the answers so far."""
        self._configuration = configuration
        self._waits = waits
        self._sleep = sleep

    def request(
        self,
        method: str,
        url: str,
        query_params: Any = None,
        headers: Any = None,
        body: Any = None,
        post_params: Any = None,
        _preload_content: bool = True,
        _request_timeout: Any = None,
    ) -> RESTResponse:
        """The answer; raises `KfpRefusedError` or `KfpUnreachableError`."""
        del _preload_content
        for wait in (*self._waits, None):
            try:
                # A new dict each time: the method below takes a header away.
                answer = super().request(
                    method,
                    url,
                    query_params=query_params,
                    headers={**(headers or {}), **self._authorization(headers)},
                    body=body,
                    post_params=post_params,
                    _request_timeout=_request_timeout or LIMIT,
                )
                return self._checked(answer, url)
            except KfpRefusedError:
                raise
            except ApiException as error:
                problem, again = self._refusal(error, url, reads=method == "GET")
            except urllib3.exceptions.HTTPError as error:
                sent = not isinstance(error, _UNSENT)
                problem = KfpUnreachableError(
                    f"Kubeflow Pipelines does not answer at {self._configuration.host}: "
                    f"{_reason(error)}",
                    hint="Is the address right (KALELITE_KFP_HOST), and is a port-forward "
                    "or VPN that it needs up?",
                    sent=sent,
                )
                again = method == "GET" or not sent
            if not again or wait is None:
                raise problem from None
            self._sleep(wait)
        raise AssertionError("the last repetition returns or raises")

    def _authorization(self, headers: Any) -> dict[str, str]:
        """The token as it is now: it may have been renewed since the headers were made."""
        if not headers or "authorization" not in headers:
            return {}
        return {"authorization": self._configuration.get_api_key_with_prefix("authorization")}

    def _checked(self, answer: RESTResponse, url: str) -> RESTResponse:
        self.received += len(answer.data)
        text = answer.data.lstrip()
        if text.startswith(b"<"):
            raise KfpRefusedError(
                f"{_without_query(url)} answered with a web page instead of data",
                200,
                hint="A login or a proxy stands before it: give KALELITE_KFP_TOKEN or "
                "KALELITE_KFP_COOKIES, or the address of the API itself.",
            )
        try:
            json.loads(text or b"{}")
        except ValueError:
            raise urllib3.exceptions.ProtocolError("IncompleteRead") from None
        return answer

    def _refusal(self, error: ApiException, url: str, *, reads: bool) -> tuple[ClusterError, bool]:
        """What an answer with an error means, and whether to ask once more."""
        status = int(error.status or 0)
        message = message_of(error.body) or error.reason or f"HTTP {status}"
        where = _without_query(url)
        if status == 0:
            problem: ClusterError = KfpRefusedError(
                f"the connection to {self._configuration.host} is not to be trusted: {message}",
                0,
                hint="KALELITE_KFP_CA names a file with the certificates of your organisation.",
            )
            return problem, False
        if status in {401, 403}:
            renewed = status == 401 and self._renew()
            text = "does not know who you are" if status == 401 else "does not let you do that"
            hint = "Give KALELITE_KFP_TOKEN, KALELITE_KFP_TOKEN_FILE or KALELITE_KFP_COOKIES."
            if status == 403:
                hint = "Is it your namespace (KALELITE_KFP_NAMESPACE)? Its owner may add you to it."
            return KfpRefusedError(f"{where} {text}: {message}", status, hint=hint), renewed
        # The API server answers 500 to what it will never do, too: see the message.
        if status in _PASSING and (status != 500 or reads):
            return KfpUnreachableError(f"{where} is not well: {message}"), reads or status == 429
        return KfpRefusedError(message, status), False

    def _renew(self) -> bool:
        """Read the token again; whether it is another one."""
        before = dict(self._configuration.api_key)
        if self._configuration.refresh_api_key_hook is not None:
            self._configuration.refresh_api_key_hook(self._configuration)
        return dict(self._configuration.api_key) != before


def message_of(body: Any) -> str:
    """The text of an error: gRPC routes call it ``message``, the upload ``error_message``."""
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body or "")
    try:
        data = cast("dict[str, Any]", json.loads(text))
        found = data.get("message") or data.get("error_message") or data.get("error") or ""
    except (ValueError, AttributeError):
        found = "" if text.lstrip().startswith("<") else text
    return " ".join(str(found).split())[:2000]


def _without_query(url: str) -> str:
    return url.partition("?")[0]


def _reason(error: Exception) -> str:
    text = str(error)
    known = {
        "Connection refused": "the connection was refused",
        "Name or service not known": "no such host is known",
        "nodename nor servname": "no such host is known",
        "Temporary failure in name resolution": "the name of the host cannot be looked up",
        "timed out": "it took too long",
        "Connection reset": "the connection was broken",
        "RemoteDisconnected": "the connection was broken",
        "IncompleteRead": "the answer was cut off",
    }
    return next((words for mark, words in known.items() if mark in text), text[:300])
