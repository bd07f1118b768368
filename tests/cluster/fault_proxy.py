"""A proxy before the real API server that spoils one call, or each once, and passes on all others.

A call is named by its verb and what it is about, ``POST volumesnapshots``, and by how many such
calls there were: polls come as often as it takes, so plain numbers would not name the same one twice.
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from volume_operations import behind

HTML = b"<html><body>Please log in.</body></html>"
REFUSALS = {
    "401": (401, "Unauthorized"),
    "409": (409, "Conflict"),
    "410": (410, "Expired"),
    "429": (429, "TooManyRequests"),
    "500": (500, "InternalError"),
    "502": (502, ""),
    "503": (503, "ServiceUnavailable"),
    "504": (504, "Timeout"),
}
FAULTS = ("drop", "delay", "reset", "html", "half", *REFUSALS)


def may_pass(fault, call):
    """Whether the same call is made again after a fault, and goes well then."""
    reads = call.startswith(("GET", "LIST"))
    return fault in FAULTS and fault != "409" and (fault != "410" or reads)


def call_of(method, path):
    """What a call is, ``GET pods``; the list of a kind and the reading of one are told apart."""
    parts = [part for part in urlsplit(path).path.split("/") if part]
    if "namespaces" in parts[:-1]:
        parts = parts[parts.index("namespaces") + 2 :]
    else:
        parts = parts[parts.index("v1" if "v1" in parts else "v1alpha1") + 1 :]
    plural, *name = parts
    return f"{'LIST' if method == 'GET' and not name else method} {plural}"


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """Nothing: connections are cut here, and their other ends are killed."""


class FaultProxy:
    """Listens on a port of its own; ``cluster`` is kalelite's client behind it.

    ``fault`` is done to the call ``at``, a name and a number from 1 on, or to every one when it is
    made first; ``spoilt`` are the names of the calls that met it. ``watch`` is called with each
    name and number before the call is passed on, and with ``done`` after it was.
    """

    def __init__(self, admin, namespace):
        self._pool, self._host = admin.rest_client.pool_manager, admin.configuration.host
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), Handler)
        self._server.proxy = self
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        self.busy = 0
        self.host = f"http://127.0.0.1:{self._server.server_port}"
        self.namespace = namespace
        self.reset()

    def reset(self, at=None, fault="", watch=None):
        """Begin to count anew, with another fault."""
        self.calls, self._at, self._fault = Counter(), at, fault
        self.watch = watch or (lambda call, done: None)
        self._tries, self.spoilt = Counter(), set()

    @property
    def cluster(self):
        return behind(self.host, self.namespace)

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def begin(self, command, path, body):
        """The next call, and the fault that it meets."""
        name = call_of(command, path)
        with self._lock:
            self.calls[name] += 1
            call = (name, self.calls[name])
            self._tries[command, path, body] += 1
            hit = call == self._at
            if self._at is None and may_pass(self._fault, name):
                hit = self._tries[command, path, body] % 2 == 1
            if hit:
                self.spoilt.add(name)
        self.watch(call, done=False)
        return call, self._fault if hit else ""

    @contextlib.contextmanager
    def under_way(self):
        with self._lock:
            self.busy += 1
        try:
            yield
        finally:
            with self._lock:
                self.busy -= 1

    def pass_on(self, method, path, body, headers):
        return self._pool.request(method, self._host + path, body=body or None, headers=headers)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do(self):
        with self.server.proxy.under_way():
            self._done()

    def _done(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        proxy = self.server.proxy
        call, fault = proxy.begin(self.command, self.path, body)
        if fault == "drop":
            self._cut()
        elif fault == "html":
            self._answer(200, HTML, "text/html")
        elif fault in REFUSALS:
            self._refuse(*REFUSALS[fault])
        else:
            kept = ("Content-Type", "Accept")
            headers = {name: self.headers[name] for name in kept if self.headers[name]}
            answer = proxy.pass_on(self.command, self.path, body, headers)
            proxy.watch(call, done=True)
            if fault == "reset":
                self._cut()
                return
            time.sleep(0.1 if fault == "delay" else 0)
            self._answer(answer.status, answer.data, half=fault == "half")

    do_GET = do_POST = do_PATCH = do_DELETE = do

    def _refuse(self, status, reason):
        kind = {"kind": "Status", "reason": reason, "message": f"a fault: {reason}"}
        body = json.dumps(kind).encode() if reason else b"<html>bad gateway</html>"
        self._answer(status, body, more={"Retry-After": "1"} if status == 429 else {})

    def _answer(self, status, body, kind="application/json", *, half=False, more=None):
        with contextlib.suppress(OSError):  # whoever asked may be gone
            self.send_response(status)
            for name, text in {"Content-Type": kind, **(more or {})}.items():
                self.send_header(name, text)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if half else body)
        if half:
            self._cut()

    def _cut(self):
        linger = struct.pack("ii", 1, 0)  # a reset, no end
        with contextlib.suppress(OSError):
            self.wfile.flush()
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.connection.shutdown(socket.SHUT_RD)
        self.close_connection = True
        self.connection.close()

    def log_message(self, *_):
        pass
