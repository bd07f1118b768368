"""A small Kubeflow Pipelines API for tests: REST v2beta1, and the runs of v1beta1.

It answers what a real KFP 2.17 was seen to answer, by the models of `kfp-server-api`, and plays a
run forward: each time that somebody asks for it, it goes on by one `Frame`. Faults are scripted for
each verb: `server.faults["run"] = [503, "drop", "half", "html", 401]` are what the next answers are.
"""

from __future__ import annotations

import datetime
import json
import re
import threading
import uuid
from collections import Counter
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import kfp_server_api as models
import yaml

BEGUN = datetime.datetime(2026, 11, 28, 12, 0, 0, tzinfo=datetime.UTC)
NEVER = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_STATES = {"Omitted": None, "Error": "FAILED"}


def node(path: str, phase: str, message: str = "", *, at: float = 0, until: float = 0) -> dict:
    """A node of a Workflow called ``w``; times are seconds after the run began."""
    name = f"w.{path}" if path else "w"
    pod = path.endswith(("-driver", "executor"))
    number = str(sum(name.encode()) * 7919 % 10**9)
    return {
        "id": f"w-{number}",
        "name": name,
        "displayName": path.rpartition(".")[2] or "w",
        "type": "Pod" if pod else "DAG",
        "templateName": "system-container-impl" if path.endswith("executor") else "driver",
        "phase": phase,
        "message": message,
        "startedAt": _time(BEGUN + datetime.timedelta(seconds=at)),
        "finishedAt": _time(BEGUN + datetime.timedelta(seconds=until)) if until else None,
    }


def step(name: str, phase: str, message: str = "", *, at: float = 0, until: float = 0) -> list:
    """The nodes of a step whose own pod is in a phase, as KFP makes them without retries."""
    driver = node(f"root.{name}-driver", "Succeeded", at=at, until=at + 1)
    own = node(f"root.{name}.executor", phase, message, at=at, until=until)
    whole = "Running" if phase == "Pending" else phase
    return [driver, node(f"root.{name}", whole, at=at, until=until), own]


@dataclass
class Frame:
    """The state of a run for one look at it, and its nodes."""

    state: str
    nodes: Sequence[dict] = ()
    message: str = ""
    stopped: bool = False


@dataclass
class KfpRun:
    body: dict
    frames: list[Frame]
    looks: int = 0
    history: list[str] = field(default_factory=lambda: ["PENDING"])

    @property
    def frame(self) -> Frame:
        return self.frames[min(max(self.looks - 1, 0), len(self.frames) - 1)]


class KfpServer:
    """The API, and what it has been asked. ``script`` are the frames of runs that are started."""

    def __init__(self) -> None:
        self.script: list[Frame] = [Frame("SUCCEEDED")]
        self.faults: dict[str, list[int | str]] = {}
        self.calls: Counter[str] = Counter()
        self.headers: list[dict[str, str]] = []
        self.sent = 0
        self.multi_user = False
        self.token = ""
        self.experiments: dict[str, dict] = {}
        self.pipelines: dict[str, dict] = {}
        self.versions: dict[str, dict] = {}
        self.runs: dict[str, KfpRun] = {}
        self.recurring: dict[str, dict] = {}
        self.host = ""

    # --- what the API does ---------------------------------------------------------------

    def healthz(self, _):
        answer = models.V2beta1GetHealthzResponse(multi_user=self.multi_user)
        return {**_plain(answer), "tag_name": "2.17.0"}

    def list_experiments(self, query):
        found = [e for e in self.experiments.values() if _matches(e, query)]
        return _plain(models.V2beta1ListExperimentsResponse(experiments=found))

    def get_experiment(self, query):
        return self.experiments[query["id"]]

    def create_experiment(self, query):
        made = models.V2beta1Experiment(
            experiment_id=str(uuid.uuid4()), display_name=query["body"]["display_name"]
        )
        return self.experiments.setdefault(made.experiment_id, _plain(made))

    def list_pipelines(self, query):
        found = [p for p in self.pipelines.values() if _matches(p, query)]
        return _plain(models.V2beta1ListPipelinesResponse(pipelines=found))

    def list_versions(self, query):
        found = [
            v
            for v in self.versions.values()
            if v["pipeline_id"] == query["id"] and _matches(v, query)
        ]
        return _plain(models.V2beta1ListPipelineVersionsResponse(pipeline_versions=found))

    def upload(self, query):
        name = query["name"]
        if len(name.encode()) > 127:
            raise Refused(500, "Data too long for column 'Name' at row 1")
        if any(p["display_name"] == name for p in self.pipelines.values()):
            raise Refused(409, f"pipeline {name} exists", key="error_message")
        made = models.V2beta1Pipeline(pipeline_id=str(uuid.uuid4()), display_name=name)
        self.pipelines[made.pipeline_id] = _plain(made)
        self._version(made.pipeline_id, query)
        return _plain(made)

    def upload_version(self, query):
        return self._version(query["pipelineid"], query)

    def get_version(self, query):
        return self.versions[query["id"]]

    def update_version(self, query):
        version = self.versions[query["id"]]
        version["display_name"] = query["body"]["display_name"]
        return version

    def _version(self, pipeline, query):
        names = ("pipeline_spec", "platform_spec")
        made = models.V2beta1PipelineVersion(
            pipeline_id=pipeline,
            pipeline_version_id=str(uuid.uuid4()),
            display_name=query["name"],
            pipeline_spec=dict(zip(names, yaml.safe_load_all(query["body"]), strict=False)),
        )
        return self.versions.setdefault(made.pipeline_version_id, _plain(made))

    def start(self, query):
        body = query["body"]
        if len(body["display_name"].encode()) > 255:
            raise Refused(500, "Data too long for column 'DisplayName' at row 1")
        id = str(uuid.uuid4())
        self.runs[id] = KfpRun({**body, "run_id": id}, list(self.script))
        return self._run(id)

    def list_runs(self, query):
        found = [self._run(id) for id, run in self.runs.items() if _matches(run.body, query)]
        return _plain(models.V2beta1ListRunsResponse(runs=found))

    def run(self, query):
        if query["id"] not in self.runs:
            raise Refused(404, f"Run {query['id']} not found")
        self.runs[query["id"]].looks += 1
        return self._run(query["id"])

    def terminate(self, query):
        run = self.runs[query["id"]]
        if run.frame.state in {"SUCCEEDED", "FAILED"}:
            raise Refused(400, "Failed to terminate a run: Row not found")
        ended = Frame("FAILED", run.frame.nodes, "", stopped=True)
        run.frames = [Frame("CANCELING", run.frame.nodes), ended]
        run.looks = 0
        return {}

    def create_recurring(self, query):
        body = query["body"]
        fields = body["trigger"]["cron_schedule"]["cron"].split()
        if len(fields) != 6 or not 1 <= int(body["max_concurrency"]) <= 10:
            raise Refused(400, "Invalid input error: the schedule or the concurrency is not valid")
        id = str(uuid.uuid4())
        made = {**body, "recurring_run_id": id, "status": "ENABLED", "created_at": _time(BEGUN)}
        self.recurring[id] = _plain(models.V2beta1RecurringRun(**made))
        return self.recurring[id]

    def list_recurring(self, query):
        found = list(self.recurring.values())[::-1]
        start = int(query.get("page_token") or 0)
        token = str(start + 2) if start + 2 < len(found) else None
        answer = models.V2beta1ListRecurringRunsResponse(
            recurring_runs=found[start : start + 2], next_page_token=token
        )
        return _plain(answer)

    def enable_recurring(self, query):
        return self._switch(query["id"], "ENABLED")

    def disable_recurring(self, query):
        return self._switch(query["id"], "DISABLED")

    def _switch(self, id, status):
        self.recurring[id]["status"] = status
        return {}

    def delete_recurring(self, query):
        del self.recurring[query["id"]]
        return {}

    def manifest(self, query):
        run = self.runs[query["id"]]
        frame = run.frame
        workflow = {
            "metadata": {"name": "w"},
            "spec": {
                "ttlStrategy": {"secondsAfterCompletion": 86_400},
                **({"activeDeadlineSeconds": 0} if frame.stopped else {}),
            },
            "status": {
                "phase": "Running",
                "message": frame.message,
                "nodes": {each["id"]: each for each in frame.nodes},
            },
        }
        return {"run": {}, "pipeline_runtime": {"workflow_manifest": json.dumps(workflow)}}

    def _run(self, id):
        run = self.runs[id]
        frame = run.frame
        if run.history[-1] != frame.state:
            run.history.append(frame.state)
        ended = frame.state in {"SUCCEEDED", "FAILED"}
        details = [
            models.V2beta1PipelineTaskDetail(
                run_id=id,
                display_name=each["displayName"],
                start_time=each["startedAt"],
                end_time=each["finishedAt"],
                state=_STATES.get(each["phase"], each["phase"].upper()),
            )
            for each in frame.nodes
        ]
        body = {"service_account": "pipeline-runner", **run.body}
        return _plain(
            models.V2beta1Run(
                **body,
                state=frame.state,
                created_at=_time(BEGUN),
                finished_at=_time(BEGUN + datetime.timedelta(seconds=60) if ended else NEVER),
                state_history=[models.V2beta1RuntimeStatus(state=state) for state in run.history],
                run_details=models.V2beta1RunDetails(task_details=details),
            )
        )


class Refused(Exception):
    def __init__(self, status: int, message: str, *, key: str = "message") -> None:
        super().__init__(message)
        self.status = status
        self.body = {key: message, "code": 3}


ID = r"(?P<id>[^/:]+)"
ROUTES = [
    ("GET", "/apis/v2beta1/healthz", "healthz"),
    ("GET", "/apis/v2beta1/experiments", "list_experiments"),
    ("POST", "/apis/v2beta1/experiments", "create_experiment"),
    ("GET", f"/apis/v2beta1/experiments/{ID}", "get_experiment"),
    ("GET", "/apis/v2beta1/pipelines", "list_pipelines"),
    ("POST", "/apis/v2beta1/pipelines/upload", "upload"),
    ("POST", "/apis/v2beta1/pipelines/upload_version", "upload_version"),
    ("GET", f"/apis/v2beta1/pipelines/{ID}/versions", "list_versions"),
    ("GET", f"/apis/v2beta1/pipelines/[^/]+/versions/{ID}", "get_version"),
    ("PATCH", f"/apis/v2beta1/pipelines/[^/]+/versions/{ID}", "update_version"),
    ("GET", "/apis/v2beta1/runs", "list_runs"),
    ("POST", "/apis/v2beta1/runs", "start"),
    ("GET", f"/apis/v2beta1/runs/{ID}", "run"),
    ("POST", f"/apis/v2beta1/runs/{ID}:terminate", "terminate"),
    ("GET", f"/apis/v1beta1/runs/{ID}", "manifest"),
    ("GET", "/apis/v2beta1/recurringruns", "list_recurring"),
    ("POST", "/apis/v2beta1/recurringruns", "create_recurring"),
    ("POST", f"/apis/v2beta1/recurringruns/{ID}:enable", "enable_recurring"),
    ("POST", f"/apis/v2beta1/recurringruns/{ID}:disable", "disable_recurring"),
    ("DELETE", f"/apis/v2beta1/recurringruns/{ID}", "delete_recurring"),
]


def _plain(model) -> dict:
    """JSON as the API writes it: the model says what may be in it."""
    data = models.ApiClient().sanitize_for_serialization(model)
    return {key: value for key, value in data.items() if value is not None}


def _matches(item: dict, query: dict) -> bool:
    predicates = json.loads(query.get("filter") or "{}").get("predicates", [])
    return all(item.get(each["key"]) == each["stringValue"] for each in predicates)


def _time(at: datetime.datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_one(self, method: str) -> None:
        server: KfpServer = self.server.kfp
        path = urlsplit(re.sub("^/api/v1/.*/proxy", "", self.path))  # by way of Kubernetes
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length)
        for verb, pattern, name in ROUTES:
            found = re.fullmatch(pattern, path.path)
            if verb == method and found:
                break
        else:
            return self._answer(404, {"message": f"no route {method} {path.path}"})
        server.calls[name] += 1
        server.headers.append(dict(self.headers))
        faults = server.faults.get(name, [])
        fault = faults.pop(0) if faults else ""
        if server.token and self.headers.get("authorization") != f"Bearer {server.token}":
            fault = 401
        if fault == "drop":
            self.close_connection = True
            return None
        if fault == "html":
            return self._send(200, b"<!doctype html><title>Sign in</title>", "text/html")
        if isinstance(fault, int):
            return self._answer(fault, {"message": f"scripted {fault}"})
        query = {key: values[0] for key, values in parse_qs(path.query).items()}
        query |= {**found.groupdict(), "body": _body(self.headers, raw)}
        try:
            answer = getattr(server, name)(query)
        except Refused as refused:
            return self._answer(refused.status, refused.body)
        if fault == "lost":  # carried out, and nobody hears of it
            self.close_connection = True
            return None
        return self._answer(200, answer, half=fault == "half")

    def _answer(self, status: int, data: dict, *, half: bool = False) -> None:
        self._send(status, json.dumps(data).encode(), "application/json", half=half)

    def _send(self, status: int, body: bytes, kind: str, *, half: bool = False) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.server.kfp.sent += len(body)
        self.wfile.write(body[: len(body) // 2] if half else body)
        self.close_connection = self.close_connection or half

    def do_GET(self) -> None:
        self.handle_one("GET")

    def do_POST(self) -> None:
        self.handle_one("POST")

    def do_DELETE(self) -> None:
        self.handle_one("DELETE")

    def do_PATCH(self) -> None:
        self.handle_one("PATCH")

    def log_message(self, *_) -> None:
        """Says nothing."""


def _body(headers, raw: bytes):
    kind = headers.get("Content-Type", "")
    if kind.startswith("application/json"):
        return json.loads(raw or b"{}")
    if kind.startswith("multipart/"):
        parts = message_from_bytes(b"Content-Type: " + kind.encode() + b"\n\n" + raw)
        return parts.get_payload()[0].get_payload(decode=True)
    return None


@contextmanager
def serving():
    """A server on a port of its own; ``host`` is its address."""
    kfp = KfpServer()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.kfp = kfp
    kfp.host = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield kfp
    finally:
        server.shutdown()
        server.server_close()


SCRIPT = """
from kalelite import pipeline, step

@step
def make(n: int) -> int:
    return n

@step
def use(x: int) -> str:
    return str(x)

@pipeline
def chain(n: int = 3):
    return use(make(n))
"""
DONE = [*step("make", "Succeeded", at=5, until=8), *step("use", "Succeeded", at=20, until=22)]
