"""The pages over HTTP: who may read them, and that nobody can do more."""

from __future__ import annotations

import http.client
import threading
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from page_parts import hold_accessible, parse

from kalelite.errors import UsageError
from kalelite.plan.graph import Plan
from kalelite.runs.pipeline_run import list_runs
from kalelite.runs.report.pages_server import PagesServer
from kalelite.runs.writing import create

TOKEN = "the-token"


class Client:
    """Sends requests to a server, as a browser that has its cookie unless it is told otherwise."""

    def __init__(self, server):
        self.port = server.server_port
        self.cookie = f"{server.cookie}={TOKEN}"

    def __call__(self, path, method="GET", **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        sent = {"Host": f"127.0.0.1:{self.port}", "Cookie": self.cookie} | headers
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in sent.items():
            connection.putheader(name, value)
        connection.endheaders()
        with connection.getresponse() as answer:
            answer.text = answer.read().decode()
        connection.close()
        return answer


@contextmanager
def served(home):
    with PagesServer(home, token=TOKEN) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield Client(server)
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def ask(home):
    with served(home) as client:
        yield client


def test_the_address_with_the_token_gives_a_cookie_and_leaves_the_address(ask):
    answer = ask(f"/?token={TOKEN}", Cookie="")

    assert (answer.status, answer.headers["Location"]) == (303, "/")
    cookie = answer.headers["Set-Cookie"]
    assert cookie == f"{ask.cookie}; HttpOnly; SameSite=Strict; Path=/"
    assert ask("/", Cookie=cookie.partition(";")[0]).status == 200


@pytest.mark.parametrize("path", ["/", "/?token=", "/?token=the-toke", "/runs/last", "/nowhere"])
@pytest.mark.parametrize("cookie", ["", "kalelite-token=the-token", "a=b; ;="])
def test_without_the_token_nothing_is_told(ask, path, cookie):
    answer = ask(path, Cookie=cookie)

    assert answer.status == 403
    assert "study" not in answer.text
    assert TOKEN not in answer.text


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1", ""])
def test_a_name_that_a_foreign_page_has_bound_to_this_machine_is_refused(ask, host):
    answer = ask("/", Host=host)

    assert answer.status == 421
    assert "study" not in answer.text


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
def test_there_is_nothing_but_reading(ask, method):
    assert ask("/", method).status == 501


@pytest.mark.parametrize(
    "path",
    [
        "/runs/../run.json",
        "/runs/..%2f..%2fstore",
        "/../../../etc/passwd",
        "/runs/%2e%2e",
        "/runs/",
        "/runs/x/run.json",
        "//etc/passwd",
        "/runs/" + "a" * 9000,
        "/compare?run=../../etc&run=..",
        "/compare",
    ],
)
def test_paths_lead_to_runs_alone(ask, path):
    answer = ask(path)

    assert answer.status == 404
    assert "root:" not in answer.text


def test_a_token_in_an_address_of_another_server_stays_here(ask):
    answer = ask(f"//evil.example/%2f?token={TOKEN}", Cookie="")

    assert answer.status == 303
    assert urlsplit(answer.headers["Location"]).netloc == ""


def test_the_pages_say_what_a_browser_must_not_do_with_them(ask):
    answer = ask("/")

    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in answer.text
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Access-Control-Allow-Origin"] is None
    assert "Python" not in answer.headers["Server"]


def test_the_list_leads_to_runs_and_comparisons(ask, home):
    root = parse(ask("/").text)
    hold_accessible(root)
    runs = list_runs(folder=home)

    links = [one.attributes["href"] for one in root.one("form").all("a")]
    assert links == [f"/runs/{run.id}" for run in runs]
    boxes = [one.attributes["value"] for one in root.all("input", type="checkbox")]
    assert boxes == [run.id for run in runs]
    page = parse(ask(links[0]).text)
    hold_accessible(page)
    assert page.one("h1").text == "study ✗ failed"
    query = "&".join(f"run={id}" for id in boxes)
    assert parse(ask(f"/compare?{query}").text).one("h1").text == "2 runs compared"


def test_a_run_that_goes_on_is_read_again_and_one_that_is_over_is_not(tmp_path):
    folder = create(Plan("going on"), {}, folder=tmp_path)

    with served(tmp_path) as ask:
        going_on = parse(ask(f"/runs/{folder.id}").text)
        folder.finish("succeeded")
        over = parse(ask(f"/runs/{folder.id}").text)

    assert going_on.one("body").attributes["data-live"] == "yes"
    assert "data-live" not in over.one("body").attributes


def test_a_port_that_is_taken_is_said_to_be(home):
    with PagesServer(home) as one, pytest.raises(UsageError, match="cannot be used"):
        PagesServer(home, one.server_port)
    with pytest.raises(UsageError, match="port 99999"):
        PagesServer(home, 99999)


def test_every_server_has_a_token_of_its_own(home):
    with PagesServer(home) as one, PagesServer(home) as other:
        assert one.token != other.token
        assert len(one.token) >= 32
        assert one.server_address[0] == "127.0.0.1"
