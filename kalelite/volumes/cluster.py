"""The connection to a Kubernetes API server.

`kalelite.volumes.kube_client` finds the server and the credentials. The requests are made
here, on the pool of connections, because every one needs a time limit, a retry that is safe for
what it does, and an error of ours; and because custom objects need no classes.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from kalelite.errors import ClusterError
from kalelite.frozen import frozen
from kalelite.volumes.cluster_errors import (
    ApiError,
    ConflictError,
    NotFoundError,
    UnauthorizedError,
    UnreachableError,
    is_conflict_of_names,
    refusal,
)
from kalelite.volumes.kube_client import (
    client_in_pod,
    client_of_kubeconfig,
    forwarded,
    has_account,
    namespace_of_context,
    pod_namespace,
)
from kalelite.volumes.resources import ACCESS_REVIEWS, EVENTS, PODS, Json, Resource

if TYPE_CHECKING:
    from socket import socket

    from kalelite.volumes.kube_client import ApiClient

_CONNECT, _READ = 5.0, 30.0
_FIRST_DELAY, _LONGEST_DELAY = 0.2, 5.0
_PASSING = frozenset({429, 500, 502, 503, 504})
_MERGE = "application/merge-patch+json"


@frozen
class Answer:
    """What came back: the HTTP code, the headers in small letters, the whole body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@frozen
class ObjectEvent:
    """What Kubernetes says has happened to an object. ``type`` is ``Normal`` or ``Warning``."""

    type: str
    reason: str
    message: str
    at: str

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}"


class Cluster:
    """An API server and a namespace in it.

    Every call has a time limit, and is made again after what passes: a lost connection, a server
    that is restarting or busy. Raises `kalelite.errors.ClusterError`, and nothing else.

    Parameters
    ----------
    connect
        Makes a client with fresh credentials; called again once when they are refused.
    namespace
        Where objects are looked for and made.
    patience
        For how many seconds a call is made again.
    """

    def __init__(
        self,
        connect: Callable[[], ApiClient],
        namespace: str,
        *,
        patience: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.namespace = namespace
        self.clock, self.sleep = clock, sleep
        self._connect, self._patience = connect, patience
        self._client = connect()

    @classmethod
    def open(
        cls,
        *,
        client: ApiClient | None = None,
        namespace: str | None = None,
        context: str | None = None,
    ) -> Cluster:
        """The cluster of ``client``, else of $KUBECONFIG, of this pod, or of ~/.kube/config.

        The namespace is the one given, else that of the pod or of the kubeconfig's context.
        """
        if client is not None:
            return cls(lambda: client, namespace or pod_namespace() or "default")
        if has_account() and context is None and not os.environ.get("KUBECONFIG"):
            return cls(client_in_pod, namespace or pod_namespace() or "default")
        return cls(
            lambda: client_of_kubeconfig(context),
            namespace or namespace_of_context(context) or "default",
        )

    @property
    def host(self) -> str:
        """The address of the API server."""
        return str(self._client.configuration.host)

    def get(self, resource: Resource, name: str) -> Json:
        """An object; raises `NotFoundError` if there is none of that name."""
        return self._json("GET", self._path(resource, name), f"read {resource.noun} {name!r}")

    def list(self, resource: Resource, *, labels: str = "", fields: str = "") -> list[Json]:
        """All objects of a kind, of the namespace if the kind has one."""
        query = {"labelSelector": labels, "fieldSelector": fields}
        path = self._path(resource, query={key: text for key, text in query.items() if text})
        items = self._json("GET", path, f"list {resource.plural}").get("items")
        return items or []

    def create(
        self, resource: Resource, body: Json, *, mine: Callable[[Json], bool] | None = None
    ) -> Json:
        """Make an object, and return it as the server has stored it.

        A request may be lost after it was carried out, so it is made again, and one whose object
        is there already has succeeded if ``mine`` knows that object as what was to be made.
        """
        body = {"apiVersion": resource.api_version, "kind": resource.kind, **body}
        name = body.get("metadata", {}).get("name", "")
        deed = f"create {resource.noun} {name!r}" if name else f"create {resource.noun}"
        try:
            return self._json("POST", self._path(resource), deed, body)
        except ConflictError as error:
            if mine is None or not name or not is_conflict_of_names(error):
                raise
            found = self.get(resource, name)
            if not mine(found):
                error.hint = "It was made by somebody else: use another name, or remove it."
                raise
            return found

    def patch(self, resource: Resource, name: str, change: Json) -> Json:
        """Merge a change into an object, and return the whole."""
        deed = f"change {resource.noun} {name!r}"
        return self._json("PATCH", self._path(resource, name), deed, change)

    def delete(self, resource: Resource, name: str, *, uid: str = "") -> bool:
        """Have an object and what it owns deleted, if it is the one with this uid.

        False if there is none: it is gone already, or another one has its name now.
        """
        body: Json = {"propagationPolicy": "Background"}
        if uid:
            body["preconditions"] = {"uid": uid}
        deed = f"delete {resource.noun} {name!r}"
        try:
            self._json("DELETE", self._path(resource, name), deed, body)
        except NotFoundError:
            return False
        except ConflictError as error:
            if uid and "precondition" in error.message:
                return False
            raise
        return True

    def events(self, uid: str) -> tuple[ObjectEvent, ...]:
        """What has happened to an object, oldest first; nothing where events may not be read."""
        try:
            found = self.list(EVENTS, fields=f"involvedObject.uid={uid}")
        except ApiError:
            return ()
        return tuple(sorted(map(_event, found), key=lambda event: event.at))

    def log(self, pod: str, container: str = "", *, tail: int | None = None) -> str:
        """What a container of a pod has printed so far, or its last ``tail`` lines."""
        query = {"container": container, "tailLines": str(tail) if tail else ""}
        path = self._path(
            PODS, f"{pod}/log", query={key: text for key, text in query.items() if text}
        )
        return self._request("GET", path, f"read the log of pod {pod!r}").body.decode(
            "utf-8", "replace"
        )

    def through(self, pod: str, port: int, path: str) -> bytes:
        """What the server in a pod answers to a GET, by way of the API server."""
        target = f"{self._path(PODS)}/{quote(pod)}:{port}/proxy/{quote(path)}"
        return self._request("GET", target, f"read from pod {pod!r}").body

    def dial(self, pod: str, port: int) -> socket:
        """A connection to a port of a pod, forwarded by the API server."""
        try:
            return forwarded(self._client, self.namespace, pod, port)
        except UnauthorizedError:
            self._client = self._connect()
            return forwarded(self._client, self.namespace, pod, port)

    def may(self, verb: str, resource: Resource) -> bool:
        """Whether the credentials allow this verb on a kind of object; changes nothing."""
        kind, _, part = resource.plural.partition("/")
        asked = {"verb": verb, "group": resource.group, "resource": kind, "subresource": part}
        if resource.namespaced:
            asked["namespace"] = self.namespace
        review = self.create(ACCESS_REVIEWS, {"spec": {"resourceAttributes": asked}})
        return bool(review.get("status", {}).get("allowed"))

    def _path(
        self, resource: Resource, name: str = "", query: Mapping[str, str] | None = None
    ) -> str:
        parts = [resource.base]
        if resource.namespaced:
            parts += ["namespaces", quote(self.namespace, safe="")]
        parts += [resource.plural, *([quote(name)] if name else [])]
        return "/".join(parts) + (f"?{urlencode(query)}" if query else "")

    def _json(self, method: str, path: str, deed: str, body: Json | None = None) -> Json:
        data = None if body is None else json.dumps(body).encode()
        answer = self._request(method, path, deed, data, whole=_is_object)
        result: Json = json.loads(answer.body)
        return result

    def _request(
        self,
        method: str,
        path: str,
        deed: str,
        data: bytes | None = None,
        whole: Callable[[bytes], bool] = lambda _: True,
    ) -> Answer:
        """The answer to a request that succeeded; made again while what prevents it may pass."""
        end = self.clock() + self._patience
        reconnected = False
        for delay in _delays():
            wait = delay
            trouble: ClusterError
            try:
                answer = self._send(method, path, data)
            except UnreachableError as error:
                trouble, passing = error, not error.lasting
                trouble.message = f"{deed}: {error.message}"
            else:
                if 200 <= answer.status < 300 and whole(answer.body):
                    return answer
                trouble = _trouble(answer, deed)
                passing = _may_pass(trouble, method)
                wait = max(wait, _retry_after(answer))
            if isinstance(trouble, UnauthorizedError) and not reconnected:
                reconnected, passing, wait = True, True, 0.0
                self._client = self._connect()
            if not passing or self.clock() + wait > end:
                raise trouble
            self.sleep(wait)
        raise AssertionError  # the delays have no end

    def _send(self, method: str, path: str, data: bytes | None) -> Answer:
        import urllib3

        settings = self._client.configuration
        headers = {
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            "User-Agent": "kalelite",
        }
        if data is not None:
            headers["Content-Type"] = _MERGE if method == "PATCH" else "application/json"
        headers |= {key: str(text) for key, text in self._client.default_headers.items()}
        for entry in settings.auth_settings().values():
            headers[entry["key"]] = entry["value"]
        try:
            answer = self._client.rest_client.pool_manager.request(
                method,
                f"{settings.host}/{path}",
                body=data,
                headers=headers,
                timeout=urllib3.Timeout(connect=_CONNECT, read=_READ),
                retries=False,
                redirect=False,
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise _unreachable(settings.host, error) from error
        return Answer(
            answer.status, {key.lower(): text for key, text in answer.headers.items()}, answer.data
        )


def _delays() -> Iterator[float]:
    delay = _FIRST_DELAY
    while True:
        yield delay * random.uniform(0.8, 1.2)
        delay = min(delay * 2, _LONGEST_DELAY)


def _retry_after(answer: Answer) -> float:
    text = answer.headers.get("retry-after", "")
    return float(text) if text.isdecimal() else 0.0


def _is_object(body: bytes) -> bool:
    try:
        return isinstance(json.loads(body), dict)
    except ValueError:
        return False


def _trouble(answer: Answer, deed: str) -> ClusterError:
    if answer.status >= 400:
        return refusal(answer.status, answer.body, deed)
    hint = "Is this the address of a Kubernetes API server, and is nothing to log in to before it?"
    message = f"{deed}: the answer (HTTP {answer.status}) is not one of Kubernetes"
    return UnreachableError(message, hint=hint, lasting=answer.status >= 300)


def _may_pass(trouble: ClusterError, method: str) -> bool:
    if isinstance(trouble, ApiError):
        # An object that was changed between reading and merging is merged again; a list that
        # took too long is begun again.
        passing = _PASSING | {"PATCH": {409}, "GET": {410}}.get(method, set())
        return trouble.status in passing
    return not (isinstance(trouble, UnreachableError) and trouble.lasting)


def _unreachable(host: str, error: Exception) -> UnreachableError:
    text = str(error) or type(error).__name__
    if "CERTIFICATE_VERIFY_FAILED" in text:
        hint = "The kubeconfig has to name the authority that signed the server's certificate."
        return UnreachableError(f"{host} is not trusted: {text}", hint=hint, lasting=True)
    return UnreachableError(
        f"{host} does not answer: {text}", hint="Is the cluster up, and its address right?"
    )


def _event(found: Json) -> ObjectEvent:
    at = found.get("lastTimestamp") or found.get("eventTime") or found.get("firstTimestamp") or ""
    return ObjectEvent(
        str(found.get("type", "")), str(found.get("reason", "")), found.get("message") or "", at
    )
