"""The small API of Kubeflow Pipelines, with runs that are real: their pods are in the cluster.

What a run does stands in its Workflow and in the API's answers, as KFP 2.17 and Argo write it there.
"""

from __future__ import annotations

import ctypes
import datetime
import os
import socket
import threading
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path

from harness import FAILED, OMITTED, PATH, SKIPPED, SUCCEEDED
from in_pods import TEMPLATE, InPods
from kfp_server import Frame, KfpServer, _Handler
from lab import Lab

from kalelite.backends.kubeflow.submit.run_owner import WORKFLOWS

ADDRESS = "10.96.0.1"
"""Where pods reach what listens in the network of the cluster."""
PHASES = {SUCCEEDED: "Succeeded", FAILED: "Failed", SKIPPED: "Skipped", OMITTED: "Omitted"}


class Shown(InPods):
    """A run whose nodes are written into its Workflow, and handed to ``changed``."""

    def __init__(self, *args, changed, **more):
        super().__init__(*args, **more)
        self.nodes = {}
        self.changed = changed
        self.lock = threading.Lock()

    def node(self, name, *args):
        path = ".".join([*PATH.get(), name])
        self.put(path, path, "DAG", "Running")
        state, outputs = super().node(name, *args)
        self.put(path, path, "DAG", PHASES[state])
        return state, outputs

    def ended(self, name):
        path = ".".join([*PATH.get(), "executor"])
        id = f"{self.run_name}-{name.rpartition('-')[2]}"
        self.put(id, path, "Pod", "Running")
        code, text = super().ended(name)
        message = "main: Error (exit code 1)" if code else ""
        self.put(id, path, "Pod", "Failed" if code else "Succeeded", message)
        return code, text

    def put(self, id, path, kind, phase, message=""):
        """Write the state of a node."""
        now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        with self.lock:
            before = self.nodes.get(id, {"startedAt": now})
            self.nodes[id] = {
                **before,
                "id": id,
                "name": path,
                "displayName": path.rpartition(".")[2],
                "type": kind,
                "templateName": TEMPLATE,
                "phase": phase,
                "message": message,
                "finishedAt": None if phase == "Running" else now,
            }
            status = {"phase": "Running", "nodes": self.nodes}
            self.lab.cluster.patch(WORKFLOWS, self.run_name, {"status": status})
            self.changed("RUNNING", list(self.nodes.values()))


class Kubeflow(KfpServer):
    """Starts runs in a namespace; each begins when it is first looked at."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        super().__init__()
        self.lab, self.folder = lab, folder
        self.multi_user = True
        self.packages: dict[str, Path] = {}
        self.begun: dict[str, threading.Thread] = {}
        self.walkers: dict[str, Shown] = {}
        self.before_run = lambda: None

    def upload(self, query):
        made = super().upload(query)
        self._keep(query)
        return made

    def upload_version(self, query):
        made = super().upload_version(query)
        self._keep(query)
        return made

    def _keep(self, query):
        version = list(self.versions)[-1]
        self.packages[version] = self.folder / f"{version}.yaml"
        self.packages[version].write_bytes(query["body"])

    def start(self, query):
        self.script = [Frame("PENDING")]
        answer = super().start(query)
        id = answer["run_id"]
        run = self.runs[id]

        def changed(state, nodes):
            run.frames = [Frame(state, nodes)]

        package = self.packages[run.body["pipeline_version_reference"]["pipeline_version_id"]]
        self.walkers[id] = Shown(package, self.lab, f"w-{id[:8]}", run_id=id, changed=changed)
        return answer

    def run(self, query):
        id = query["id"]
        if id in self.runs and id not in self.begun:
            self.begun[id] = threading.Thread(target=self._run_it, args=(id,), daemon=True)
            self.begun[id].start()
        return super().run(query)

    def _run_it(self, id):
        walker, given = self.walkers[id], self.runs[id].body.get("runtime_config", {})
        self.before_run()
        state = walker.run(**given.get("parameters", {})).state
        ended = {"phase": PHASES[state]}
        self.lab.cluster.patch(WORKFLOWS, walker.run_name, {"status": ended})
        walker.changed(state.upper(), list(walker.nodes.values()))

    def _run(self, id):
        answer = super()._run(id)
        times = [each["finishedAt"] for each in self.runs[id].frame.nodes if each["finishedAt"]]
        if answer["state"] in ("SUCCEEDED", "FAILED") and times:
            answer["finished_at"] = max(times)
        return answer


@contextmanager
def serving_pods(lab: Lab, folder: Path):
    """Kubeflow for the pods of the cluster; ``host`` is where they reach it."""
    kfp = Kubeflow(lab, folder)
    server = ThreadingHTTPServer(("", 0), _Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = _listening(os.environ.get("KC_NAME", "kc"))
    server.daemon_threads = True
    server.kfp = kfp
    kfp.host = f"http://{ADDRESS}:{server.socket.getsockname()[1]}"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield kfp
    finally:
        server.shutdown()
        server.server_close()


def _listening(network: str) -> socket.socket:
    """A socket in the network of the cluster: one belongs to that in which it was made."""
    found: list[socket.socket] = []

    def listen() -> None:
        with open(f"/run/netns/{network}", "rb") as file:
            if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), 0):
                raise OSError(ctypes.get_errno(), "setns")
        found.append(socket.create_server(("0.0.0.0", 0)))

    thread = threading.Thread(target=listen)  # which alone is in that network
    thread.start()
    thread.join()
    return found[0]
