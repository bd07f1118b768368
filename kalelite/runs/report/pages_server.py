"""The pages of runs, served to the browser of this machine, for reading only.

Who has the token may read: it is in the address that is opened first, and in a cookie from then
on. Requests that a foreign page makes the browser send are refused by the name that they ask for.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from kalelite.errors import KaleliteError, UsageError
from kalelite.runs.pipeline_run import Run
from kalelite.runs.report.comparison_page import comparison_page
from kalelite.runs.report.run_list_page import run_list_page
from kalelite.runs.report.run_page import run_page
from kalelite.runs.report.web_page import Site, message_page

_COOKIE = "kalelite-token"
_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Content-Security-Policy": "frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
}


class PagesServer(ThreadingHTTPServer):
    """Serves the runs of a home on loopback until it is shut down.

    ``url`` is what to open, with the token. Raises `UsageError` if the port is taken.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, home: Path, port: int = 0, token: str = "") -> None:
        self.home = home
        self.token = token or secrets.token_urlsafe(24)
        try:
            super().__init__(("127.0.0.1", port), _Handler)
        except (OSError, OverflowError) as error:
            raise UsageError(
                f"port {port} cannot be used: {error}", hint="Give another --port, or none."
            ) from error
        self.hosts = {f"{name}:{self.server_port}" for name in ("127.0.0.1", "localhost")}

    @property
    def url(self) -> str:
        """The address of the list of runs, with the token."""
        return f"http://127.0.0.1:{self.server_port}/?token={self.token}"

    @property
    def cookie(self) -> str:
        """The name of the cookie: browsers share cookies between the ports of a host."""
        return f"{_COOKIE}-{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: PagesServer
    server_version = "kalelite"
    sys_version = ""
    timeout = 30

    def do_GET(self) -> None:
        if self.headers.get("Host") not in self.server.hosts:
            self._refuse(HTTPStatus.MISDIRECTED_REQUEST, "This address is not served here.")
            return
        address = urlsplit(self.path)
        query = parse_qs(address.query)
        if self._is_token(query.get("token", [""])[0]):
            # The token leaves the address, and so the history and what is copied from there.
            name, token = self.server.cookie, self.server.token
            cookie = f"{name}={token}; HttpOnly; SameSite=Strict; Path=/"
            self._answer(HTTPStatus.SEE_OTHER, "", Location=_local(address.path), Set_Cookie=cookie)
        elif not self._is_token(self._cookie()):
            self._refuse(
                HTTPStatus.FORBIDDEN,
                "Open the address that kalelite ui has printed: it has the token in it.",
            )
        else:
            self._serve(address.path, query)

    def _serve(self, path: str, query: Mapping[str, list[str]]) -> None:
        try:
            page = _page(self.server.home, path, query)
        except KaleliteError as error:
            self._refuse(HTTPStatus.NOT_FOUND, str(error))
            return
        except Exception as error:
            kind = type(error).__name__
            self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, f"The page cannot be made: {kind}.")
            return
        if page is None:
            self._refuse(HTTPStatus.NOT_FOUND, "There is no such page.")
        else:
            self._answer(HTTPStatus.OK, page)

    def _cookie(self) -> str:
        pairs = (part.strip().partition("=") for part in self.headers.get("Cookie", "").split(";"))
        return next((value for name, _, value in pairs if name == self.server.cookie), "")

    def _is_token(self, text: str) -> bool:
        return secrets.compare_digest(text.encode(), self.server.token.encode())

    def _refuse(self, status: HTTPStatus, text: str) -> None:
        self._answer(status, message_page(f"{status.value} {status.phrase}", text))

    def _answer(self, status: HTTPStatus, page: str, **headers: str) -> None:
        data = page.encode("utf-8", "replace")
        self.send_response(status)
        for name, value in (_HEADERS | headers).items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the address of the first request has the token in it."""


def _local(path: str) -> str:
    """A path of this server, whatever was asked for: not ``//another.host``."""
    return "/" + path.lstrip("/\\")


def _page(home: Path, path: str, query: Mapping[str, list[str]]) -> str | None:
    """The page of an address; None if there is none. Runs are known by their ids alone."""
    if path == "/":
        return run_list_page(home, query.get("page", ["1"])[0])
    if path == "/compare":
        chosen = [Run.open(id, folder=home) for id in query.get("run", [])[:12]]
        if len({run.id for run in chosen}) < 2:
            raise UsageError("one run cannot be compared", hint="Choose two runs, or more.")
        live = any(run.state == "running" for run in chosen)
        return comparison_page(chosen, Site(live, home="/"))
    found = re.fullmatch(r"/runs/([\w-]+)", unquote(path))
    if found is None:
        return None
    run = Run.open(found[1], folder=home)
    return run_page(run, Site(live=run.state == "running", home="/"))
