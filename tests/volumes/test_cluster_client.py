"""Every call of the client meets every fault that an API server and the way to it have."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from kalelite.errors import ClusterError, ExitCode
from kalelite.volumes.cluster import Cluster
from kalelite.volumes.cluster_errors import (
    ApiError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    MissingApiError,
    NotFoundError,
    QuotaError,
    UnauthorizedError,
    UnreachableError,
)
from kalelite.volumes.resources import CLAIMS, SNAPSHOTS

kubernetes = pytest.importorskip("kubernetes")


def status(code, reason, message="", causes=(), **headers):
    body = {"kind": "Status", "code": code, "reason": reason, "message": message}
    body["details"] = {"causes": [{"reason": cause} for cause in causes]}
    return code, json.dumps(body), headers


OK = (200, json.dumps({"metadata": {"name": "a", "uid": "1"}, "items": []}), {})
BUSY = status(429, "TooManyRequests", Retry_After="7")
GONE_HALFWAY = (200, '{"metadata": {"na', {"Content_Length": "500"})
LOGIN_PAGE = (200, "<html>log in</html>", {})
RESET = None
THEN_CARRIED_OUT = "carried out, and the connection lost"


class Server:
    """Answers from a script, and with success when it has ended."""

    def __init__(self):
        self.script, self.seen, self.stored = [], [], None
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                size = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(size)) if size else None
                outer.seen.append((self.command, self.path, body, self.headers))
                action = outer.script.pop(0) if outer.script else outer.usual(self.command, body)
                if action == THEN_CARRIED_OUT:
                    outer.usual(self.command, body)
                    action = RESET
                if action is RESET:
                    self.connection.close()
                    self.close_connection = True
                    return
                code, text, headers = action
                data = text.encode()
                self.send_response(code)
                for key, value in ({"Content_Length": str(len(data))} | headers).items():
                    self.send_header(key.replace("_", "-"), value)
                self.end_headers()
                self.wfile.write(data)
                self.close_connection = len(data) != int(headers.get("Content_Length", len(data)))

            do_GET = do_POST = do_DELETE = do_PATCH = answer

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None
        Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def usual(self, command, body):
        if command == "POST" and body["kind"] != "SelfSubjectAccessReview":
            if self.stored is not None:
                return status(409, "AlreadyExists", 'claims "a" already exists')
            self.stored = {**body, "metadata": {**body["metadata"], "uid": "1"}}
        if command in {"GET", "POST"} and self.stored is not None:
            return 200, json.dumps(self.stored), {}
        return OK


class Clock:
    """Time passes when somebody sleeps."""

    def __init__(self):
        self.now, self.slept = 0.0, []

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds

    def __call__(self):
        return self.now


@pytest.fixture
def server():
    made = Server()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def cluster(server, clock):
    tokens = iter(["old", "new", "newest"])

    def connect():
        settings = kubernetes.client.Configuration()
        settings.host = f"http://127.0.0.1:{server.server.server_address[1]}"
        settings.api_key["authorization"] = f"Bearer {next(tokens)}"
        return kubernetes.client.ApiClient(settings)

    return Cluster(connect, "user", clock=clock, sleep=clock.sleep)


def make(cluster):
    return cluster.create(CLAIMS, {"metadata": {"name": "a"}}, mine=lambda _: True)


VERBS = {
    "get": lambda cluster: cluster.get(CLAIMS, "a"),
    "list": lambda cluster: cluster.list(SNAPSHOTS, labels="x=y"),
    "create": make,
    "patch": lambda cluster: cluster.patch(CLAIMS, "a", {"metadata": {"labels": {"x": "y"}}}),
    "delete": lambda cluster: cluster.delete(CLAIMS, "a", uid="1"),
    "may": lambda cluster: cluster.may("create", SNAPSHOTS),
    "log": lambda cluster: cluster.log("a"),
}
PASSING = {
    "busy": [BUSY],
    "restarting": [status(500, "InternalError"), (502, "<html>", {}), (503, "", {}), (504, "", {})],
    "reset": [RESET],
    "webhook down": [status(500, "InternalError", "failed calling webhook")],
    "token expired": [status(401, "Unauthorized")],
    "half a body": [GONE_HALFWAY],
}
LASTING = {
    "no right": (status(403, "Forbidden", 'User "x" cannot'), ForbiddenError),
    "quota": (
        status(403, "Forbidden", "exceeded quota: q, requested: 1, used: 1, limited: 1"),
        QuotaError,
    ),
    "limit range": (
        status(403, "Forbidden", "maximum storage usage per PersistentVolumeClaim is 1Gi"),
        QuotaError,
    ),
    "policy": (status(403, "Forbidden", 'admission webhook "x" denied the request'), ApiError),
    "namespace goes": (
        status(403, "Forbidden", "unable", causes=["NamespaceTerminating"]),
        ApiError,
    ),
    "not installed": ((404, "404 page not found\n", {}), MissingApiError),
    "bad name": (status(422, "Invalid", "metadata.name"), InvalidError),
    "bad size": (status(400, "BadRequest", "quantities must match"), InvalidError),
    "login page": ((302, "", {"Location": "/login"}), UnreachableError),
}


@pytest.mark.parametrize("fault", PASSING)
@pytest.mark.parametrize("verb", VERBS)
def test_what_passes_is_tried_again(cluster, server, verb, fault):
    server.script = list(PASSING[fault])

    VERBS[verb](cluster)

    assert len(server.seen) == len(PASSING[fault]) + 1


@pytest.mark.parametrize("fault", LASTING)
@pytest.mark.parametrize("verb", VERBS)
def test_what_lasts_is_an_error_at_once(cluster, server, verb, fault):
    answer, kind = LASTING[fault]
    server.script = [answer]

    with pytest.raises(kind) as caught:
        VERBS[verb](cluster)

    assert type(caught.value) is kind
    assert caught.value.exit_code is ExitCode.CLUSTER
    assert "Bearer" not in str(caught.value)
    assert len(server.seen) == 1


@pytest.mark.parametrize("fault", [RESET, (503, "", {}), LOGIN_PAGE, BUSY])
@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb != "log"])
def test_what_does_not_pass_ends_after_a_while(cluster, server, clock, verb, fault):
    server.script = [fault] * 100

    with pytest.raises(ClusterError):
        VERBS[verb](cluster)

    assert 10 < clock.now <= 30


def test_the_server_says_how_long_to_wait(cluster, server, clock):
    server.script = [BUSY]
    cluster.get(CLAIMS, "a")

    assert clock.slept == [7.0]


def test_a_dead_server_is_named(cluster, server):
    server.server.server_close()

    with pytest.raises(UnreachableError, match="does not answer"):
        cluster.get(CLAIMS, "a")


def test_what_was_made_though_the_answer_was_lost_is_taken(cluster, server):
    server.script = [THEN_CARRIED_OUT]

    assert make(cluster)["metadata"]["uid"] == "1"
    assert [seen[0] for seen in server.seen] == ["POST", "POST", "GET"]


def test_the_object_of_somebody_else_is_not_taken(cluster, server):
    make(cluster)

    with pytest.raises(ConflictError, match="made by somebody else"):
        cluster.create(CLAIMS, {"metadata": {"name": "a"}}, mine=lambda _: False)


def test_an_object_that_is_being_deleted_is_not_taken(cluster, server):
    server.script = [status(409, "AlreadyExists", "object is being deleted: a already exists")]

    with pytest.raises(ConflictError, match="Wait until it is gone"):
        make(cluster)


def test_credentials_are_read_anew_once(cluster, server):
    server.script = [status(401, "Unauthorized")] * 3

    with pytest.raises(UnauthorizedError):
        cluster.get(CLAIMS, "a")
    assert [seen[3]["Authorization"] for seen in server.seen] == ["Bearer old", "Bearer new"]


def test_a_conflict_of_changes_is_tried_again_and_an_expired_list_begun_again(cluster, server):
    server.script = [status(409, "Conflict", "the object has been modified")]
    VERBS["patch"](cluster)
    server.script = [status(410, "Expired", "too old resource version")]
    VERBS["list"](cluster)

    assert [seen[0] for seen in server.seen] == ["PATCH", "PATCH", "GET", "GET"]


def test_what_is_gone_is_deleted(cluster, server):
    server.script = [status(404, "NotFound", 'claims "a" not found')]
    assert not cluster.delete(CLAIMS, "a")
    server.script = [status(409, "Conflict", "the UID in the precondition (1) does not match")]
    assert not cluster.delete(CLAIMS, "a", uid="1")
    assert server.seen[-1][2]["preconditions"] == {"uid": "1"}


def test_a_missing_object_is_told_from_a_missing_kind(cluster, server):
    server.script = [status(404, "NotFound", 'claims "a" not found')]
    with pytest.raises(NotFoundError):
        cluster.get(CLAIMS, "a")


def test_no_configuration_is_one_sentence(tmp_path):
    with pytest.raises(ClusterError, match="no cluster is configured"):
        Cluster.open(context="no-such-context")
