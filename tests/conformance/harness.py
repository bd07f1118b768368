"""A small Kubeflow Pipelines: it runs a compiled pipeline task by task, each in a process.

It does what KFP's drivers, its launcher and Argo do with a compiled pipeline (KFP 2.17, read in
backend/src/v2): it resolves inputs, carries every number as a 64-bit float, replaces placeholders,
evaluates conditions, expands loops, collects their outputs into one flat list, retries, skips and
omits, runs exit handlers, and refuses arguments that no process could get.

Artifacts go to a folder, the object store, when a task has succeeded, and from there to the disk
of each task that takes them. Claims are folders. A create-volume step talks to a small API server; a task sees the claims that
it mounts, and no others, at its mount paths.
"""

from __future__ import annotations

import contextvars
import itertools
import json
import re
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import yaml

ARGUMENT_LIMIT = 131_071
PATH: contextvars.ContextVar[tuple[str, ...]] = contextvars.ContextVar("path", default=())
"""The names of the nodes around the one that is run."""
SUCCEEDED, FAILED, SKIPPED, OMITTED = "succeeded", "failed", "skipped", "omitted"


class HarnessError(Exception):
    """The pipeline asks for what KFP would refuse, or what this harness does not know."""


@dataclass
class Attempt:
    """One pod: its task, its exit code and what it printed."""

    task: str
    code: int
    output: str


@dataclass
class Outcome:
    """How a run ended. ``tasks`` are the container tasks in the order they ran."""

    state: str
    attempts: list[Attempt] = field(default_factory=list)
    states: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    waits: list[float] = field(default_factory=list)

    def log(self) -> str:
        return "\n".join(f"[{a.task}] exit {a.code}\n{a.output}" for a in self.attempts)


class Handler(BaseHTTPRequestHandler):
    """Kubernetes, as far as steps talk to it."""

    def reply(self, code: int, body: Any) -> None:
        data = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        kind, name = self.path.rsplit("/", 2)[1:]
        if kind == "workflows":
            self.reply(200, {"spec": self.server.cluster.workflow})
        elif name in self.server.cluster.pods:
            self.reply(200, self.server.cluster.pods[name])
        elif kind == "pods":
            owner = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow"}
            owner |= {"name": "workflow", "uid": "1"}
            spec = {"serviceAccountName": "runner"}
            self.reply(200, {"metadata": {"ownerReferences": [owner]}, "spec": spec})
        elif name in self.server.cluster.objects:
            self.reply(200, self.server.cluster.objects[name])
        else:
            self.reply(404, {"reason": "NotFound"})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name = body["metadata"]["name"]
        if body["kind"] == "Pod":
            self.server.cluster.start(name, body)
            return self.reply(201, body)
        if name in self.server.cluster.objects:
            return self.reply(409, {"reason": "AlreadyExists"})
        self.server.cluster.objects[name] = body
        self.server.cluster.claim(name)
        return self.reply(201, body)

    def do_DELETE(self) -> None:
        self.reply(
            200, self.server.cluster.pods.pop(self.path.rpartition("/")[2].partition("?")[0])
        )

    def log_message(self, *args: Any) -> None:
        pass


class Cluster:
    """Claims as folders, and the API server that makes them."""

    def __init__(self, folder: Path) -> None:
        self.claims = folder / "claims"
        self.claims.mkdir(parents=True)
        self.account = folder / "account"
        self.account.mkdir()
        (self.account / "token").write_text("secret-token\n")
        (self.account / "namespace").write_text("user\n")
        self.objects: dict[str, Any] = {}
        self.pods: dict[str, Any] = {}
        self.workflow: Any = {}
        self.python = Path()
        self.objects_folder = folder / "objects"
        self.objects_folder.mkdir()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.cluster = self
        self.server.daemon_threads = True
        Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def claim(self, name: str) -> Path:
        path = self.claims / name
        path.mkdir(exist_ok=True)
        return path

    def start(self, name: str, pod: dict) -> None:
        """Run a pod that a step has made, to its end."""
        (container,) = pod["spec"]["containers"]
        (mount,) = container["volumeMounts"]
        (volume,) = pod["spec"]["volumes"]
        path = Path(mount["mountPath"])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(self.claims / volume["persistentVolumeClaim"]["claimName"])
        environment = {
            "PATH": f"{self.python}:/usr/bin:/bin",
            "KALELITE_API_SERVER": self.url,
            "KALELITE_SERVICE_ACCOUNT": str(self.account),
        }
        done = subprocess.run(container["command"], env=environment, capture_output=True, text=True)
        path.unlink()
        phase = "Failed" if done.returncode else "Succeeded"
        why = {"terminated": {"reason": "Error", "message": done.stderr}}
        self.pods[name] = {"status": {"phase": phase, "containerStatuses": [{"state": why}]}}

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@contextmanager
def cluster(folder: Path):
    found = Cluster(folder)
    try:
        yield found
    finally:
        found.close()


class Harness:
    """Runs one compiled pipeline.

    Parameters
    ----------
    path
        The YAML file.
    cluster
        Where its claims are.
    python
        The folder that holds ``python3``: the step image.
    run_name
        The name of the Workflow.
    """

    def __init__(self, path: Path, cluster: Cluster, python: Path, run_name: str = "run-1") -> None:
        documents = list(yaml.safe_load_all(path.read_text()))
        self.spec = documents[0]
        platform = documents[1] if len(documents) > 1 else {}
        kubernetes = platform.get("platforms", {}).get("kubernetes", {})
        self.pods = kubernetes.get("deploymentSpec", {}).get("executors", {})
        self.executors = self.spec["deploymentSpec"]["executors"]
        self.cluster = cluster
        self.python = cluster.python = python
        # The containers of all tasks are in a Workflow as texts, each once.
        texts = [{"value": json.dumps(each)} for each in self.executors.values()]
        cluster.workflow = {"arguments": {"parameters": texts}}
        self.run_name = run_name
        self.run_id = str(uuid.uuid4())
        self.counter = itertools.count(1)
        self.result = Outcome("")

    def run(self, **arguments: Any) -> Outcome:
        root = self.spec["root"]
        inputs = {}
        for name, spec in root.get("inputDefinitions", {}).get("parameters", {}).items():
            if name in arguments:
                inputs[name] = arguments.pop(name)
            elif "defaultValue" in spec:
                inputs[name] = spec["defaultValue"]
            elif not spec.get("isOptional"):
                raise HarnessError(f"no value for parameter {name}")
        if arguments:
            raise HarnessError(f"unknown parameters {sorted(arguments)}")
        inputs = {name: _float(value) for name, value in inputs.items()}
        with below(f"{self.run_name}.root"):
            state, _ = self.graph(root["dag"], inputs, {})
        self.result.state = state
        return self.result

    # --- graphs ---------------------------------------------------------------------------

    def graph(self, dag: dict, inputs: dict, item: dict) -> tuple[str, dict]:
        """Run the tasks of a graph; its state and the outputs of its tasks."""
        inputs = {**inputs, **item}
        tasks = dag["tasks"]
        states: dict[str, str] = {}
        outputs: dict[str, Any] = {}
        left = dict(tasks)
        while left:
            ready = [name for name, task in left.items() if needs(task) <= set(states)]
            if not ready:
                raise HarnessError(f"tasks wait for one another: {sorted(left)}")
            names = sorted(ready)
            given = (inputs, dict(states), dict(outputs))
            ends = self.together([partial(self.node, n, left.pop(n), *given) for n in names])
            for name, (state, values) in zip(names, ends, strict=True):
                states[name], outputs[name] = state, values
        bad = any(state == FAILED for state in states.values())
        return (FAILED if bad else SUCCEEDED), outputs

    def together(self, calls: Sequence[Callable[[], Any]], _limit: int = 0) -> list[Any]:
        """Run what does not wait for one another, here one by one."""
        return [call() for call in calls]

    def node(self, name, task, inputs, states, outputs) -> tuple[str, Any]:
        policy = task.get("triggerPolicy", {})
        tolerant = policy.get("strategy") == "ALL_UPSTREAM_TASKS_COMPLETED"
        before = [states[other] for other in needs(task)]
        if not tolerant and any(state != SUCCEEDED for state in before):
            return OMITTED, {}
        if tolerant and any(state == OMITTED for state in before):
            return OMITTED, {}
        component = self.spec["components"][task["componentRef"]["name"]]
        values = self.inputs(name, task, component, inputs, states, outputs)
        if "condition" in policy and not condition(policy["condition"], values):
            return SKIPPED, {}
        if "executorLabel" in component:

            def named(source: dict) -> str:
                return self.value(name, source, inputs, states, outputs)

            with below(name):
                return self.container(name, task, component, values, named)
        self.border(name, values)
        with below(name):
            return self.block(task, component, values)

    def border(self, name: str, values: dict[str, Any]) -> None:
        """A block knows its artifacts by their ids, each under one name, and no list of them."""
        found = [value for value in values.values() if isinstance(value, Artifact)]
        if len(found) > len(set(found)):
            raise HarnessError(f"{name} is a graph, and takes one artifact under two names")
        if any(map(is_artifacts, values.values())):
            raise HarnessError(f"{name} is a graph, and takes artifacts: KFP gives it the last one")

    def block(self, task, component, values) -> tuple[str, Any]:
        if "parameterIterator" in task:
            return self.loop(task, component, values)
        state, inner = self.graph(component["dag"], values, {})
        return state, dag_outputs(component, inner)

    def loop(self, task, component, values) -> tuple[str, Any]:
        iterator = task["parameterIterator"]
        if "raw" in iterator["items"]:
            items = json.loads(iterator["items"]["raw"])
        else:
            items = values.pop(iterator["items"]["inputParameter"])
        kind = component["inputDefinitions"]["parameters"][iterator["itemInput"]]["parameterType"]

        def iteration(position: int, value: Any) -> tuple[str, dict]:
            item = {iterator["itemInput"]: typed("item", _float(value), kind)}
            with below(f"iteration-iterations({position}:{position}).iteration-item"):
                state, inner = self.graph(component["dag"], values, item)
            return state, dag_outputs(component, inner)

        limit = int(task.get("iteratorPolicy", {}).get("parallelismLimit", 0))
        calls = [partial(iteration, position, value) for position, value in enumerate(items)]
        ends = self.together(calls, limit)
        states, results = [state for state, _ in ends], [found for _, found in ends]
        given = component.get("outputDefinitions", {})
        names = {**given.get("parameters", {}), **given.get("artifacts", {})}
        collected = {name: [] for name in names}
        for result, name in itertools.product(results, names):
            value = result.get(name)
            # KFP puts the values of nested loops into one flat list.
            collected[name] += value if isinstance(value, _Collected) else [value]
        state = FAILED if FAILED in states else SUCCEEDED
        return state, {name: _Collected(values) for name, values in collected.items()}

    # --- inputs ---------------------------------------------------------------------------

    def inputs(self, name, task, component, inputs, states, outputs) -> dict[str, Any]:
        specs = component.get("inputDefinitions", {}).get("parameters", {})
        values = {}
        for key, source in task.get("inputs", {}).get("parameters", {}).items():
            value = self.value(name, source, inputs, states, outputs)
            if value is None:
                if not specs[key].get("isOptional"):
                    raise HarnessError(f"task {name}: no value for input {key}")
                continue
            values[key] = typed(key, value, specs[key]["parameterType"])
        known = component.get("inputDefinitions", {}).get("artifacts", {})
        for key, source in task.get("inputs", {}).get("artifacts", {}).items():
            known.get(key) or _unknown(name, key)
            if "componentInputArtifact" in source:
                values[key] = inputs[source["componentInputArtifact"]]
                continue
            output = source["taskOutputArtifact"]
            values[key] = outputs[output["producerTask"]].get(output["outputArtifactKey"])
            if values[key] is None or (is_artifacts(values[key]) and None in values[key]):
                raise HarnessError(f"{name}: {output} was not made, and KFP's driver fails")
            if isinstance(values[key], _Collected) and not values[key]:
                raise HarnessError(f"{name}: the loop was over nothing, and KFP's driver fails")
        iterator = task.get("parameterIterator", {})
        for key, spec in specs.items():
            missing = key not in values and not spec.get("isOptional")
            if missing and key != iterator.get("itemInput"):
                raise HarnessError(f"task {name}: neither value nor default for input {key}")
        return values

    def value(self, name, source, inputs, states, outputs) -> Any:
        if "componentInputParameter" in source:
            return inputs.get(source["componentInputParameter"])
        if "taskOutputParameter" in source:
            output = source["taskOutputParameter"]
            return outputs[output["producerTask"]].get(output["outputParameterKey"])
        if "taskFinalStatus" in source:
            producer = source["taskFinalStatus"]["producerTask"]
            state = {SUCCEEDED: "COMPLETE", FAILED: "FAILED"}[states[producer]]
            return {
                "state": state,
                "pipelineTaskName": producer,
                "pipelineJobResourceName": self.run_name,
                "error": {},
            }
        constant = source["runtimeValue"]["constant"]
        return _float(self.placeholder(constant))

    def placeholder(self, constant: Any) -> Any:
        """A constant that is exactly one of KFP's own names."""
        known = {
            "{{$.pipeline_job_resource_name}}": self.run_name,
            "{{$.pipeline_job_uuid}}": self.run_id,
        }
        return known.get(constant, constant) if isinstance(constant, str) else constant

    # --- containers -----------------------------------------------------------------------

    def container(self, name, task, component, values, named) -> tuple[str, Any]:
        label = component["executorLabel"]
        if task.get("cachingOptions", {}).get("enableCache"):
            raise HarnessError(f"task {name} would be cached")
        retries = task.get("retryPolicy", {})
        wait = float(retries.get("backoffDuration", "0s").rstrip("s"))
        for attempt in range(int(retries.get("maxRetryCount", 0)) + 1):
            if attempt:
                self.result.waits.append(wait)
                wait *= float(retries.get("backoffFactor", 2))
            code, text, outputs = self.pod(name, label, component, values, named)
            self.result.attempts.append(Attempt(name, code, text))
            if code == 0:
                self.result.states[name] = SUCCEEDED
                self.result.outputs[name] = outputs
                return SUCCEEDED, outputs
        self.result.states[name] = FAILED
        return FAILED, {}

    def pod(self, name, label, component, inputs, named) -> tuple[int, str, dict[str, Any]]:
        container = self.executors[label]["container"]
        config = resolved(self.pods.get(label, {}), named)
        work = Path(
            tempfile.mkdtemp(prefix=f"pod-{next(self.counter)}-", dir=self.cluster.claims.parent)
        )
        specs = component.get("outputDefinitions", {}).get("parameters", {})
        files = {key: str(work / "outputs" / key) for key in specs}
        (work / "outputs").mkdir()
        values, taken, lists = {}, {}, {}
        for key, value in inputs.items():
            if isinstance(value, Artifact) or is_artifacts(value):
                lists[key] = [each.get(work) for each in _Collected.of(value)]
                taken[key] = lists[key][0]
            else:
                values[key] = value
        written = {key: work / "minio" / "out" / key for key in artifacts_of(component)}
        for path in written.values():
            path.parent.mkdir(parents=True, exist_ok=True)
        paths = {f"inputs.artifacts['{key}']": path for key, path in taken.items()}
        paths |= {f"outputs.artifacts['{key}']": path for key, path in written.items()}
        received = {
            "inputs": {
                "parameterValues": values,
                "artifacts": described(component, "input", lists),
            },
            "outputs": {
                "artifacts": described(component, "output", {k: [v] for k, v in written.items()}),
                "parameters": {key: {"outputFile": file} for key, file in files.items()},
                "outputFile": str(work / "output_metadata.json"),
            },
        }
        words = [*container.get("command", ()), *container.get("args", ())]
        command = [self.replaced(word, received, values, files, paths) for word in words]
        text = json.dumps(container)
        for word in (*command, text, go_json(received)):
            if len(word.encode()) > ARGUMENT_LIMIT:
                raise HarnessError(f"task {name}: an argument of {len(word)} characters")
        with self.mounted(config):
            code, output = self.process(command, container, config, work)
        if code:
            return code, output, {}
        outputs = {}
        for key, file in files.items():
            if not Path(file).exists():
                return 1, f"{output}\nfailed to read output parameter {key}", {}
            outputs[key] = parsed(Path(file).read_text("utf-8"), specs[key]["parameterType"])
        for key, path in written.items():
            kept = self.cluster.objects_folder / f"{next(self.counter)}-{key}"
            outputs[key] = Artifact(kept).put(path)
        shutil.rmtree(work)
        return 0, output, outputs

    def replaced(self, word: str, received, values, files, paths) -> str:
        for key, path in paths.items():
            word = word.replace("{{$." + key + ".path}}", str(path))
        word = word.replace("{{$}}", go_json(received))
        for key, value in values.items():
            text = value if isinstance(value, str) else go_json(value)
            word = word.replace("{{$.inputs.parameters['" + key + "']}}", text)
        for key, file in files.items():
            word = word.replace("{{$.outputs.parameters['" + key + "'].output_file}}", file)
        return word

    def process(self, command, container, config, work) -> tuple[int, str]:
        account = str(self.cluster.account)
        environment = {
            "PATH": f"{self.python}:/usr/bin:/bin",
            "HOME": str(work),
            "KFP_POD_NAME": work.name,
            "KALELITE_API_SERVER": self.cluster.url,
            "KALELITE_SERVICE_ACCOUNT": account,
            **self.fields(config),
            **{entry["name"]: entry.get("value", "") for entry in container.get("env", ())},
        }
        seconds = float(config.get("activeDeadlineSeconds", 120))
        try:
            done = subprocess.run(
                [kubernetes_word(word) for word in command],
                cwd=work,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            return 137, f"{(error.stdout or b'').decode(errors='replace')}\nDeadlineExceeded"
        return done.returncode, done.stdout.decode(errors="replace")

    def fields(self, config: dict) -> dict[str, str]:
        """What a pod is told of itself in variables: only where it is in the Workflow."""
        node = "metadata.annotations['workflows.argoproj.io/node-name']"
        names = [field["name"] for field in config.get("fieldPathAsEnv", ())]
        assert all(field["fieldPath"] == node for field in config.get("fieldPathAsEnv", ()))
        return dict.fromkeys(names, ".".join([*PATH.get(), "executor"]))

    @contextmanager
    def mounted(self, config: dict):
        """The claims of a pod at their paths, for as long as it runs."""
        paths = []
        for mount in config.get("pvcMount", ()):
            claim = mount["pvcNameParameter"]
            folder = self.cluster.claims / claim
            if not folder.is_dir():
                raise HarnessError(
                    f"there is no claim {claim!r}: the pod would be Pending for ever"
                )
            path = Path(mount["mountPath"])
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(folder / mount.get("subPath", ""))
            paths.append(path)
        try:
            yield
        finally:
            for path in paths:
                path.unlink()


def resolved(part: Any, named: Callable[[dict], str]) -> Any:
    """What Kubernetes is told of a pod, with the values of its parameters."""
    if isinstance(part, list):
        return [resolved(each, named) for each in part]
    if not isinstance(part, dict):
        return part
    if "taskOutputParameter" in part:  # a claim that a task has made: KFP's older spelling
        rest = {key: value for key, value in part.items() if key != "taskOutputParameter"}
        claim = named({"taskOutputParameter": part["taskOutputParameter"]})
        return {"pvcNameParameter": claim, **resolved(rest, named)}
    return {
        key: named(value) if key.endswith("Parameter") else resolved(value, named)
        for key, value in part.items()
    }


@contextmanager
def below(name: str):
    """What is run meanwhile is inside a node of this name."""
    token = PATH.set((*PATH.get(), name))
    try:
        yield
    finally:
        PATH.reset(token)


@dataclass(frozen=True)
class Artifact:
    """A file or folder in the object store: contents without modes and without empty folders."""

    kept: Path

    def put(self, path: Path) -> Artifact:
        """Upload; what is not there is passed over, as KFP's launcher does."""
        _copy(path, self.kept)
        return self

    def get(self, work: Path) -> Path:
        """Download to a pod's disk."""
        path = work / "minio" / "in" / self.kept.name.partition("-")[0] / "artifact"
        path.parent.mkdir(parents=True, exist_ok=True)
        _copy(self.kept, path)
        return path


def _copy(source: Path, target: Path) -> None:
    if source.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())
    elif source.is_dir():
        for inner in source.iterdir():
            _copy(inner, target / inner.name)


def kubernetes_word(word: str) -> str:
    """A word of a pod's command, in which Kubernetes expands what is to be expanded."""
    known = {"KFP_POD_NAME": "a-pod", "ARGO_NODE_ID": "a-node"}

    def put(found: re.Match) -> str:
        return "$" if found[0] == "$$" else known.get(found[1], found[0])

    return re.sub(r"\$\$|\$\((\w+)\)", put, word)


def artifacts_of(component: dict) -> dict:
    return component.get("outputDefinitions", {}).get("artifacts", {})


def _unknown(name: str, key: str) -> None:
    raise HarnessError(f"task {name} has no input artifact {key}")


class _Collected(list):
    """Outputs of a loop."""

    @classmethod
    def of(cls, value: Any) -> list[Any]:
        return value if isinstance(value, cls) else [value]


def is_artifacts(value: Any) -> bool:
    """Whether it is a list of artifacts."""
    return isinstance(value, _Collected) and any(isinstance(each, Artifact) for each in value)


def described(component: dict, side: str, paths: dict[str, list[Path]]) -> dict[str, Any]:
    """Artifacts as the launcher tells a container of them; a path stands for the address."""
    known = component.get(f"{side}Definitions", {}).get("artifacts", {})
    return {
        key: {
            "artifacts": [
                {"name": key, "type": known[key]["artifactType"], "uri": str(path)}
                for path in found
            ]
        }
        for key, found in paths.items()
    }


def needs(task: dict) -> set[str]:
    """The siblings that a task waits for."""
    names = set(task.get("dependentTasks", ()))
    inputs = task.get("inputs", {})
    sources = [*inputs.get("parameters", {}).values(), *inputs.get("artifacts", {}).values()]
    for source in sources:
        output = source.get("taskOutputParameter") or source.get("taskOutputArtifact")
        if output:
            producer = output["producerTask"]
            if producer not in names:
                raise HarnessError(f"{producer} is read, and not in dependentTasks")
    return names


def dag_outputs(component: dict, inner: dict[str, Any]) -> dict[str, Any]:
    """What a graph gives to the graph around it."""
    found = {}
    for name, source in component["dag"].get("outputs", {}).get("parameters", {}).items():
        if "valueFromParameter" in source:
            selectors = [source["valueFromParameter"]]
        else:
            selectors = source["valueFromOneof"]["parameterSelectors"]
        for selector in selectors:
            value = inner[selector["producerSubtask"]].get(selector["outputParameterKey"])
            if value is not None:
                found[name] = value
                break
    for name, source in component["dag"].get("outputs", {}).get("artifacts", {}).items():
        for selector in source["artifactSelectors"]:
            value = inner[selector["producerSubtask"]].get(selector["outputArtifactKey"])
            if value is not None:
                found[name] = value
                break
    return found


def typed(name: str, value: Any, kind: str) -> Any:
    """A value as a parameter of that type, or KFP's complaint."""
    if kind == "STRING":
        return value if isinstance(value, str) else go_json(value)
    fits = {
        "NUMBER_INTEGER": lambda: isinstance(value, float),
        "NUMBER_DOUBLE": lambda: isinstance(value, float),
        "BOOLEAN": lambda: isinstance(value, bool),
        "LIST": lambda: isinstance(value, list),
        "STRUCT": lambda: isinstance(value, dict),
        "TASK_FINAL_STATUS": lambda: isinstance(value, dict),
    }[kind]
    if not fits():
        raise HarnessError(f"input {name}: expected {kind}, got {value!r}")
    return value


def parsed(text: str, kind: str) -> Any:
    """The value of an output file, as the launcher reads it."""
    if kind == "STRING":
        return text
    if kind == "BOOLEAN":
        return {"true": True, "false": False}[text.strip()]
    if kind == "NUMBER_INTEGER":
        return float(int(text))
    if kind == "NUMBER_DOUBLE":
        return float(text)
    value = _float(json.loads(text, parse_constant=_no_constant))
    return typed("an output", value, kind)


def _no_constant(name: str) -> Any:
    raise HarnessError(f"{name} is no JSON")


def _float(value: Any) -> Any:
    """Protocol buffers know one kind of number."""
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, list):
        return type(value)(_float(item) for item in value)
    if isinstance(value, dict):
        return {key: _float(item) for key, item in value.items()}
    return value


def go_json(value: Any) -> str:
    """JSON as Go writes it: a whole number without a point."""

    def plain(value: Any) -> Any:
        if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
            return int(value)
        if isinstance(value, list):
            return [plain(item) for item in value]
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        return value

    return json.dumps(plain(value), separators=(",", ":"), ensure_ascii=False)


def condition(text: str, values: dict[str, Any]) -> bool:
    """A condition in the part of CEL that kfp writes."""

    kept: list[str] = []

    def keep(python: str) -> str:
        kept.append(python)
        return f"\0{len(kept) - 1}\0"

    # Inputs and texts are set aside, so that operators inside them stay what they are.
    pattern = r"inputs\.parameter_values\['([^']+)'\]"
    python = re.sub(pattern, lambda match: keep(f"values[{match.group(1)!r}]"), text)
    python = re.sub(r"'[^']*'", lambda match: keep(match.group()), python)
    python = python.replace("&&", " and ").replace("||", " or ")
    python = re.sub(r"!(?!=)", " not ", python)
    python = re.sub(r"\btrue\b", "True", python)
    python = re.sub(r"\bfalse\b", "False", python)
    python = re.sub(r"\0(\d+)\0", lambda match: kept[int(match.group(1))], python).strip()
    names = {"values": values, "int": int, "double": float, "__builtins__": {}}
    return bool(eval(python, names))
