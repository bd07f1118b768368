"""Compiled programs in bare containers: an image with Python in it and nothing else.

They run when ``docker info`` works and the stock image is there. Where no registry can be reached,
Debian's docker.io and debootstrap give both, here for Python 3.11 (as root); the containers that
the programs themselves start do with the same image under another name:

    dockerd --iptables=false --bridge=none --storage-driver=overlay2 &
    debootstrap --variant=minbase --include=python3 bookworm root
    tar -C root -c . | docker import - python:3.11
    docker tag python:3.11 busybox:1.36
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conformance_programs import PROGRAMS, arguments_of, load
from conformance_seen import seen_in
from harness import Harness
from test_conformance import hold

pytest.importorskip("kfp", reason="needs kfp: pip install 'kalelite[kfp]'")


class InContainers(Harness):
    """Each task in a container of its own image, without the packages and files of this machine."""

    def __init__(self, path: Path, cluster, engine: list[str], shared: Path) -> None:
        super().__init__(path, cluster, Path("/usr/local/bin"))
        self.engine = engine
        self.shared = shared

    def process(self, command, container, config, work):
        variables = {
            "HOME": str(work),
            "KFP_POD_NAME": work.name,
            **self.fields(config),
            "KALELITE_API_SERVER": self.cluster.url,
            "KALELITE_SERVICE_ACCOUNT": str(self.cluster.account),
            **{entry["name"]: entry.get("value", "") for entry in container.get("env", ())},
        }
        words = [f"--env={name}={value}" for name, value in variables.items()]
        words += [f"--volume={self.shared}:{self.shared}", f"--workdir={work}"]
        command = [*self.engine, *words, container["image"], *command]
        return super().process(command, {"env": _own()}, config, work)


def _own():
    """What the engine's command itself needs to find its engine."""
    names = [name for name in os.environ if name in ("HOME", "PATH") or "DOCKER" in name]
    return [{"name": name, "value": os.environ[name]} for name in names]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["chain", "failure"])
def test_program_runs_in_bare_containers(name, engine, kubernetes, tmp_path, monkeypatch):
    from kalelite.backends.kubeflow.compile.build import compile_plan

    module = load(PROGRAMS / f"{name}.py")
    monkeypatch.setitem(sys.modules, "__main__", module)
    journal = tmp_path / "journal"
    journal.mkdir()
    plan = module.main.plan()
    arguments = arguments_of(module, plan, journal)
    path = tmp_path / "pipeline.yaml"
    marshal = tmp_path / "mounts" / "marshal"
    compile_plan(plan, path, arguments=arguments, marshal_path=str(marshal))

    harness = InContainers(path, kubernetes, engine, tmp_path)
    outcome = harness.run()

    claim = kubernetes.claims / "run-1" / ".kalelite"
    hold(module, seen_in(plan, outcome, claim, harness.run_id, arguments), [])


@pytest.mark.slow
def test_containers_run_here(engine, run_here, container_program):
    """What the compiled form is held to, from the engine itself."""
    image = "busybox:1.36"
    if subprocess.run([engine[0], "image", "inspect", image], capture_output=True).returncode:
        pytest.skip(f"the container engine has no {image}: docker pull {image}")
    # The marks of earlier attempts are on this machine, where a container does not see them.
    container_program.ATTEMPTS = {}
    hold(container_program, run_here(container_program), [])
