"""The claims that a prepare step makes, against a small API server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from kalelite.volumes import provision

PREPARE = """
import sys
from kalelite.backends.kubeflow.pod.prepare_run import main
sys.exit(main(["prepare", "run-1", "r1", "{}", *sys.argv[2:]], lambda _: sys.argv[1].encode()))
"""


class Api:
    """Claims of one namespace. ``drop`` takes the data source away, as a real server may."""

    def __init__(self, tmp_path):
        self.claims, self.requests = {}, []
        self.drop, self.pod_status = False, 200
        self.faults = []
        self.account = tmp_path / "account"
        self.account.mkdir()
        (self.account / "token").write_text("secret-token\n")
        (self.account / "namespace").write_text("user\n")
        api = self

        class Handler(BaseHTTPRequestHandler):
            def reply(self, code, body):
                data = json.dumps(body).encode()
                self.send_response(code)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def handle_one(self):
                api.requests.append((self.command, self.path, self.headers["Authorization"]))
                name = self.path.rpartition("/")[2]
                if api.meets_fault(self):
                    return None
                if "/pods/" in self.path:
                    owner = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow"}
                    owner |= {"name": "run-1", "uid": "42", "extra": "x"}
                    self.reply(api.pod_status, {"metadata": {"ownerReferences": [owner]}})
                elif self.command == "DELETE":
                    self.reply(200, api.claims.pop(name))
                elif self.command == "GET":
                    self.reply(200, api.claims[name])
                else:
                    body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                    self.reply(*api.made(body))

            do_GET = do_POST = do_DELETE = handle_one

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None
        Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def made(self, body):
        """The answer to a claim that is to be made."""
        if self.drop:
            body["spec"].pop("dataSource", None)
        if body["metadata"]["name"] in self.claims:
            return 409, {"reason": "AlreadyExists"}
        if body["spec"]["resources"]["requests"]["storage"] == "9Ti":
            return 403, {"message": "exceeded quota: q"}
        self.claims[body["metadata"]["name"]] = body
        return 201, body

    def meets_fault(self, handler):
        """What happens to the next request, if it is not answered as usual."""
        fault = self.faults.pop(0) if self.faults else None
        if fault == "carried out, and the connection lost":
            body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
            self.claims[body["metadata"]["name"]] = body
        if isinstance(fault, str):
            handler.connection.close()
        elif fault is not None:
            handler.reply(fault, {"message": "not now"})
        return fault is not None

    def run(self, output, **claim):
        environment = {
            **os.environ,
            "KALELITE_API_SERVER": f"http://127.0.0.1:{self.server.server_address[1]}",
            "KALELITE_SERVICE_ACCOUNT": str(self.account),
            "HOSTNAME": "pod-1",
        }
        usual = {"suffix": "", "size": "1Gi", "modes": ["ReadWriteOnce"], "storage_class": None}
        usual |= {"snapshot": None, "source": "", "snapshot_class": None}
        plan = {
            "claims": [{**usual, **claim}],
            "home": "",
            "suffix": None,
            "handed_on": False,
            "record": None,
            "parameters": {},
        }
        return subprocess.run(
            [sys.executable, "-c", PREPARE, json.dumps(plan), f"{output}-done", str(output)],
            env=environment,
            capture_output=True,
            text=True,
        )


@pytest.fixture
def api(tmp_path):
    found = Api(tmp_path)
    yield found
    found.server.shutdown()
    found.server.server_close()


def test_makes_a_clone_that_belongs_to_the_run(api, tmp_path):
    output = tmp_path / "deep" / "name"
    done = api.run(output, suffix="-2", size="10Gi", snapshot="snap", storage_class="fast")
    assert done.returncode == 0, done.stderr
    assert output.read_text() == "run-1-2"
    claim = api.claims["run-1-2"]
    assert claim["spec"] == {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "10Gi"}},
        "storageClassName": "fast",
        "dataSource": {
            "apiGroup": "snapshot.storage.k8s.io",
            "kind": "VolumeSnapshot",
            "name": "snap",
        },
    }
    (owner,) = claim["metadata"]["ownerReferences"]
    assert owner["kind"] == "Workflow"
    assert owner["uid"] == "42"
    assert claim["metadata"]["labels"]["kalelite.dev/run"] == "r1"
    assert {token for _, _, token in api.requests} == {"Bearer secret-token"}


def test_a_retry_takes_the_claim_of_its_own_run(api, tmp_path):
    for _ in range(2):
        done = api.run(tmp_path / "name")
        assert done.returncode == 0, done.stderr
    assert list(api.claims) == ["run-1"]


def test_the_claim_of_another_run_is_refused(api, tmp_path):
    api.claims["run-1"] = provision.claim_manifest("run-1", size="1Gi", modes=[], run="other")
    done = api.run(tmp_path / "name")
    assert done.returncode == 1
    assert "belongs to another run" in done.stderr
    assert not (tmp_path / "name").exists()


def test_an_empty_volume_in_the_place_of_a_clone_is_deleted_and_refused(api, tmp_path):
    api.drop = True
    done = api.run(tmp_path / "n", snapshot="snap")
    assert done.returncode == 1
    assert "dropped the snapshot 'snap'" in done.stderr
    assert api.claims == {}


def test_what_the_server_says_is_told(api, tmp_path):
    done = api.run(tmp_path / "name", size="9Ti")
    assert done.returncode == 1
    assert "exceeded quota" in done.stderr
    assert "secret-token" not in done.stderr + done.stdout


def test_a_pod_that_may_not_be_read_costs_only_the_owner(api, tmp_path):
    api.pod_status = 403
    done = api.run(tmp_path / "name")
    assert done.returncode == 0
    assert "ownerReferences" not in api.claims["run-1"]["metadata"]
    assert "will not be deleted with the run" in done.stdout


@pytest.mark.parametrize("faults", [[503], [500, 429], ["reset"], [401], [None, "reset"]])
def test_what_passes_is_tried_again(api, tmp_path, faults):
    api.faults = list(faults)
    done = api.run(tmp_path / "name")
    assert done.returncode == 0, done.stderr
    assert list(api.claims) == ["run-1"]


def test_a_claim_whose_making_was_not_answered_is_taken(api, tmp_path):
    api.faults = [None, "carried out, and the connection lost"]
    done = api.run(tmp_path / "name")
    assert done.returncode == 0, done.stderr
    assert list(api.claims) == ["run-1"]


def test_the_pod_is_called_what_kfp_calls_it(api, tmp_path, monkeypatch):
    monkeypatch.setenv("KFP_POD_NAME", "a-name-that-no-hostname-can-hold" * 2)
    done = api.run(tmp_path / "name")
    assert done.returncode == 0, done.stderr
    assert api.requests[0][1].endswith("/pods/" + "a-name-that-no-hostname-can-hold" * 2)
