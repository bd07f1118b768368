"""Runs a program here and as a compiled pipeline, and gives both outcomes in one form."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from conformance_programs import PROGRAMS, arguments_of, load
from conformance_seen import Seen, put_together, seen_in
from harness import Harness, cluster

from kalelite.authoring.backends import open_backend
from kalelite.backends.kubeflow.pod.run_home import KEPT
from kalelite.runs.pipeline_run import Run

BACKENDS_THAT_RUN = ("local",)


@pytest.fixture(scope="session")
def bare_python(tmp_path_factory) -> Path:
    """The folder of a python3 that has no packages: the step image."""
    folder = tmp_path_factory.mktemp("image")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    return folder / "bin"


@pytest.fixture(scope="session")
def engine() -> list[str]:
    """The command of a container engine that runs and has the stock Python image."""
    image = "python:{}.{}".format(*sys.version_info)
    found = shutil.which("docker")
    if not found or subprocess.run([found, "info"], capture_output=True).returncode:
        pytest.skip("no container engine answers: start dockerd (docker info has to work)")
    if subprocess.run([found, "image", "inspect", image], capture_output=True).returncode:
        pytest.skip(f"the container engine has no {image}: docker pull {image}")
    return [found, "run", "--rm", "--network=host"]


@pytest.fixture
def kubernetes(tmp_path):
    with cluster(tmp_path / "cluster") as found:
        yield found


@pytest.fixture
def program(request):
    """The module of the program that the test is parametrized with."""
    before = sys.modules["__main__"]
    module = load(PROGRAMS / f"{request.param}.py")
    sys.modules["__main__"] = module
    yield module
    sys.modules["__main__"] = before


@pytest.fixture
def container_program(request):
    """The module of the program that runs compiled only, for want of an engine here."""
    before = sys.modules["__main__"]
    module = load(PROGRAMS.parent / "compiled_only" / f"{request.param}.py")
    sys.modules["__main__"] = module
    yield module
    sys.modules["__main__"] = before


@pytest.fixture
def run_on(tmp_path, monkeypatch):
    """Run a program's pipeline on a backend that runs plans."""

    def run(program: ModuleType, backend: str) -> Seen:
        home = tmp_path / "home"
        monkeypatch.setenv("KALELITE_HOME", str(home))
        (tmp_path / "work").mkdir()
        monkeypatch.chdir(tmp_path / "work")
        journal = tmp_path / "journal-here"
        journal.mkdir()
        plan = program.main.plan()
        arguments = arguments_of(program, plan, journal)
        result = open_backend(backend, home=home).run(plan, arguments)
        seen = Seen(result.state)
        if result.state == "succeeded":
            seen.value = result.value
        for name, task in Run.open(folder=home).tasks.items():
            if task.record is not None:
                seen.add(name.partition("[")[0], task.record)
        return seen

    return run


@pytest.fixture
def run_compiled(tmp_path, kubernetes, bare_python):
    """Compile a program's pipeline and run it with the harness."""

    pytest.importorskip("kfp", reason="needs kfp: pip install 'kalelite[kfp]'")

    def run(
        program: ModuleType, python: Path | None = None, pods: str = "each", marshal: str = "volume"
    ) -> Seen:
        journal = tmp_path / "journal-compiled"
        journal.mkdir()
        plan = program.main.plan()
        arguments = arguments_of(program, plan, journal)
        volume = {"marshal_path": str(tmp_path / "mounts" / "marshal")}
        path = tmp_path / "pipeline.yaml"
        settings = volume if marshal == "volume" else {}
        backend = open_backend("kubeflow", marshal=marshal, pods=pods, **settings)
        backend.compile(plan, path, arguments)
        harness = Harness(path, kubernetes, python or bare_python)
        outcome = harness.run()
        claim = kubernetes.claims / "run-1" / ".kalelite"
        if marshal == "artifacts":
            claim = put_together(
                kubernetes.objects_folder.glob(f"*-{KEPT}*"),
                tmp_path,
                harness.run_id,
                outcome.log(),
            )
        return seen_in(plan, outcome, claim, harness.run_id, arguments)

    return run


def pytest_generate_tests(metafunc):
    if "backend" in metafunc.fixturenames:
        metafunc.parametrize("backend", BACKENDS_THAT_RUN)
    folders = {"program": PROGRAMS, "container_program": PROGRAMS.parent / "compiled_only"}
    marked = {mark.args[0] for mark in metafunc.definition.iter_markers("parametrize")}
    for fixture, folder in folders.items():
        if fixture in metafunc.fixturenames and fixture not in marked:
            names = sorted(path.stem for path in folder.glob("*.py"))
            metafunc.parametrize(fixture, names, indirect=True)
