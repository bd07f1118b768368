"""Runs a program here and as a compiled pipeline, and gives both outcomes in one form."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from harness import Harness, cluster

PROGRAMS = Path(__file__).parent / "programs"


@dataclass
class Seen:
    """What a run did: its state, its result, how often each step ran, what failed."""

    state: str
    value: Any = None
    succeeded: Counter = field(default_factory=Counter)
    failed: dict[str, tuple[str, str]] = field(default_factory=dict)
    attempts: Counter = field(default_factory=Counter)
    log: str = ""


def load(path: Path) -> ModuleType:
    """A program as its own ``__main__`` would be: nothing of it can be imported by a step."""
    spec = importlib.util.spec_from_file_location("__main__", path)
    module = importlib.util.module_from_spec(spec)
    code = compile(path.read_text(), str(path), "exec")
    before = sys.modules["__main__"]
    sys.modules["__main__"] = module
    try:
        exec(code, module.__dict__)
    finally:
        sys.modules["__main__"] = before
    return module


@pytest.fixture(scope="session")
def bare_python(tmp_path_factory) -> Path:
    """The folder of a python3 that has no packages: the step image."""
    folder = tmp_path_factory.mktemp("image")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    return folder / "bin"


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
def container_program():
    before = sys.modules["__main__"]
    module = load(PROGRAMS.parent / "compiled_only" / "container.py")
    sys.modules["__main__"] = module
    yield module
    sys.modules["__main__"] = before


@pytest.fixture
def run_here(tmp_path, monkeypatch):
    """Run a program's pipeline with the local backend."""

    def run(program: ModuleType) -> Seen:
        from kalelite.backends.local import LocalSettings, run_plan

        monkeypatch.setenv("KALELITE_HOME", str(tmp_path / "home"))
        journal = tmp_path / "journal-here"
        journal.mkdir()
        plan = program.main.plan()
        arguments = arguments_of(program, plan, journal)
        result = run_plan(plan, arguments, settings=LocalSettings(home=tmp_path / "home"))
        seen = Seen(result.state)
        if result.state == "succeeded":
            seen.value = result.value
        for name, record in result.records.items():
            task = name.partition("[")[0]
            if record.status == "succeeded":
                seen.succeeded[task] += 1
            else:
                seen.failed[task] = (record.failure.type, record.failure.message)
            seen.attempts[task] += record.attempt
        return seen

    return run


def arguments_of(program: ModuleType, plan, journal: Path) -> dict[str, Any]:
    """Values of all parameters: the program's own, the journal, else the defaults."""
    said = {"journal": str(journal), **getattr(program, "ARGUMENTS", {})}
    return {p.name: said.get(p.name, p.default) for p in plan.parameters}


@pytest.fixture
def run_compiled(tmp_path, kubernetes, bare_python):
    """Compile a program's pipeline and run it with the harness."""

    def run(program: ModuleType, python: Path | None = None) -> Seen:
        from kalelite.backends.kubeflow import compile_plan

        journal = tmp_path / "journal-compiled"
        journal.mkdir()
        plan = program.main.plan()
        arguments = arguments_of(program, plan, journal)
        marshal = tmp_path / "mounts" / "marshal"
        path = tmp_path / "pipeline.yaml"
        compiled = compile_plan(plan, path, arguments=arguments, marshal_path=str(marshal))
        harness = Harness(path, kubernetes, python or bare_python)
        outcome = harness.run()
        claim = kubernetes.claims / "run-1" / ".kalelite"
        return seen_in(plan, compiled, outcome, claim, harness.run_id, arguments)

    return run


def seen_in(plan, compiled, outcome, home: Path, run: str, arguments) -> Seen:
    """A harness outcome in the terms of the plan."""
    from kalelite.backends.kubeflow.lower import lower
    from kalelite.backends.kubeflow.ports import Wiring
    from kalelite.executor import record as records
    from kalelite.marshal import Store

    wiring = Wiring(lower(plan))
    own = {task.id for task in plan.tasks}
    names = {id.replace("_", "-").lower(): id for id in own}
    seen = Seen(outcome.state, log=outcome.log())
    for attempt in outcome.attempts:
        task = names.get(attempt.task)
        if task is not None:
            seen.attempts[task] += 1
            if attempt.code == 0:
                seen.succeeded[task] += 1
    for path in (home / "runs" / run / "tasks").glob("*/record.json"):
        record = records.read(path)
        if record.status == "failed":
            seen.failed[record.task] = (record.failure.type, record.failure.message)
    if outcome.state == "succeeded" and plan.result is not None:
        store = Store(home / "store")
        seen.value = value_of(plan.result, wiring, outcome, store, arguments)
    return seen


def value_of(expr, wiring, outcome, store, arguments) -> Any:
    """The value of an expression over tasks that are in no block."""
    from kalelite.plan.graph import Constant, OutputRef, Pack, ParameterRef

    if isinstance(expr, Constant):
        return expr.value
    if isinstance(expr, ParameterRef):
        return arguments[expr.name]
    if isinstance(expr, Pack):
        items = [value_of(item, wiring, outcome, store, arguments) for item in expr.items]
        return dict(zip(expr.keys, items)) if expr.type is dict else expr.type(items)
    assert isinstance(expr, OutputRef), expr
    name, _ = wiring.outputs(wiring.tasks[expr.task])[expr.output, "ref"]
    task = expr.task.replace("_", "-").lower()
    return store.load(outcome.outputs[task][name], expr.path)


def pytest_generate_tests(metafunc):
    if "program" in metafunc.fixturenames:
        names = sorted(path.stem for path in PROGRAMS.glob("*.py"))
        metafunc.parametrize("program", names, indirect=True)
