"""The bundle, run where nothing but Python is: in an empty virtual environment, isolated."""

import json
import os
import re
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import pytest

from kalelite.executor.record_file import read
from kalelite.marshal import Store

HERE = Path(__file__).parent

MAKE = """
import os, sys
sys.path.append({here!r})
from capture_harness import steps_of
from kalelite.capture.code import capture
from kalelite.capture.bundle import bundle, contents
from kalelite.capture.rebuild import plain
from kalelite.engine.task_templates import task_template
from dataclasses import asdict
import json
plan = steps_of([plain(f) for f in {steps}])
code = capture(plan)
tasks = {{}}
for task in plan.tasks:
    template = asdict(task_template(task, code))
    template["outputs"] = [{{"name": "value", "index": None, "native": None}}]
    terms = {{"timeout": None, "memory": 0, "retries": None}}
    ports = {{"inputs": [], "outputs": [], "needs": [], "depths": {{task.id: 0}}, "counts": {{}}}}
    flags = {{"tolerant": False, "hidden": False, "verdict": []}}
    recalling = {{"key": None, "kept": False, "taken": False, "runs": []}}
    more = {{"terms": terms, "recalling": recalling, **ports, **flags}}
    tasks[task.id] = {{"template": template, **more}}
data = bundle(code, {{"tasks.json": json.dumps(tasks).encode()}})
open(os.environ["TARGET"], "wb").write(data)
print(json.dumps(contents(code, data)))
"""


def make(folder, text, steps, files=(), seed="0"):
    """Capture a script in a process of its own; the path of its bundle."""
    source = folder / "src"
    source.mkdir(exist_ok=True)
    for name, content in dict(files).items():
        (source / name).write_text(content)
    target = folder / f"bundle-{seed}.pyz"
    ending = MAKE.format(here=str(HERE), steps=f"[{', '.join(steps)}]")
    script = source / "script.py"
    script.write_text(
        textwrap.dedent(text) + "\nif __name__ == '__main__':\n" + textwrap.indent(ending, "    ")
    )
    env = {**os.environ, "PYTHONHASHSEED": seed, "TARGET": str(target)}
    done = subprocess.run(
        [sys.executable, script.name], cwd=source, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    for path in source.iterdir():
        if path.is_file():
            path.unlink()
    return target


@pytest.fixture(scope="session")
def bare_python(tmp_path_factory):
    """The Python of an empty virtual environment: no pip, no packages."""
    folder = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    return folder / "bin" / "python"


def run(python, bundle, task, home):
    given = json.dumps({"inputs": {"parameterValues": {}}, "outputs": {"parameters": {}}})
    command = [str(python), "-I", str(bundle), "run", "--task", task]
    command += ["--home", str(home), "--executor-input", given]
    return subprocess.run(command, cwd=home, capture_output=True, text=True, timeout=60)


def result(home, task):
    record = read(home / "runs" / "run" / "tasks" / task / "record.json")
    return record, Store(home / "store")


PROGRAM = """
    WORDS = {"some", "words", "in", "a", "set"}
    import dataclasses, enum, functools, math
    from helpers import scale, base
    class Color(enum.Enum):
        RED = 1
    @dataclasses.dataclass
    class Point:
        x: int
        color: Color = Color.RED
        def far(self): return scale(self.x) + base()
    @functools.lru_cache
    def half(n): return n / 2
    def one():
        point = Point(3)
        assert len(WORDS) == 5
        assert point == Point(3) and point.color is Color.RED
        return [math.floor(half(7)), point.far(), (lambda: point.x)()]
    def two():
        return undefined_name
    def three():
        import surely_absent_package
    def four():
        raise ValueError("tell \\x1b[31mme")
"""
HELPERS = {
    "helpers.py": "from kalelite import step, pipeline\n@step(memory='1Gi')\ndef scale(x): return 10 * x\nBIG = scale.options(cpu='2')\n@step\ndef base(): return 1\n@pipeline(name='p')\ndef whole(a: int = 1): scale(a)\n"
}


@pytest.fixture(scope="session")
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundle")
    return make(folder, PROGRAM, ["one", "two", "three", "four"], HELPERS)


def test_a_step_runs_where_nothing_is_installed(bare_python, bundle, tmp_path):
    done = run(bare_python, bundle, "one", tmp_path)
    assert done.returncode == 0, done.stderr
    record, store = result(tmp_path, "one")
    assert store.load(record.outputs["value"]["ref"]) == [3, 31, 3]


def test_a_failure_shows_the_users_lines_from_the_bundle(bare_python, bundle, tmp_path):
    done = run(bare_python, bundle, "two", tmp_path)
    assert done.returncode == 1
    record, _ = result(tmp_path, "two")
    assert record.failure.type == "NameError"
    assert [frame.text.strip() for frame in record.failure.frames] == ["return undefined_name"]
    assert "return undefined_name" in done.stderr
    assert "kalelite" not in done.stderr


def test_an_absent_package_is_named_with_the_step(bare_python, bundle, tmp_path):
    done = run(bare_python, bundle, "three", tmp_path)
    assert done.returncode == 1
    assert "step three needs the package 'surely_absent_package'" in done.stderr


def test_a_global_package_that_is_absent_is_named_with_the_step(bare_python, tmp_path):
    pytest.importorskip("numpy")
    bundle = make(tmp_path, "import numpy as np\ndef one(): return np.ones(3)\n", ["one"])
    done = run(bare_python, bundle, "one", tmp_path)
    assert done.returncode == 1
    assert "step one needs the package 'numpy'" in done.stderr


@pytest.mark.parametrize("harm", [lambda data: data, lambda data: data[:-9], lambda _: b""])
def test_modules_are_compiled_once_and_what_is_kept_of_them_is_checked(
    harm, bare_python, bundle, tmp_path
):
    copy = tmp_path / "bundle.pyz"
    copy.write_bytes(bundle.read_bytes())
    kept = tmp_path / f"bundle.pyz.{sys.implementation.cache_tag}"
    assert run(bare_python, copy, "one", tmp_path).returncode == 0
    good = kept.read_bytes()
    kept.write_bytes(harm(good))
    assert run(bare_python, copy, "one", tmp_path).returncode == 0
    mended = kept.read_bytes()
    assert len(mended) >= len(good) - 99
    assert run(bare_python, copy, "one", tmp_path).returncode == 0
    assert kept.read_bytes() == mended
    assert not list(tmp_path.glob("*.part"))


def test_the_same_code_gives_the_same_bytes(tmp_path):
    first = make(tmp_path, PROGRAM, ["one", "two"], HELPERS, seed="1").read_bytes()
    second = make(tmp_path, PROGRAM, ["one", "two"], HELPERS, seed="2").read_bytes()
    assert first == second


def test_without_user_code_it_is_at_most_66_kb(bundle):
    with zipfile.ZipFile(bundle) as archive:
        own = [
            item
            for item in archive.infolist()
            if not item.filename.startswith(("code/", "tasks.json"))
        ]
    assert sum(item.compress_size + 2 * len(item.filename) + 76 for item in own) <= 66_000


def test_it_carries_the_licence_of_cloudpickle(bundle):
    with zipfile.ZipFile(bundle) as archive:
        assert b"Redistribution" in archive.read("LICENSE-cloudpickle")


@pytest.mark.parametrize("name", ["code/code.bin", "runtime.bz2", "code/index.json"])
def test_a_damaged_file_is_named(bare_python, bundle, tmp_path, name):
    with zipfile.ZipFile(bundle) as archive:
        files = {item: archive.read(item.filename) for item in archive.infolist()}
    damaged = tmp_path / "damaged.pyz"
    with zipfile.ZipFile(damaged, "w") as archive:
        for item, data in files.items():
            flipped = data[:-9] + bytes([data[-9] ^ 1]) + data[-8:]
            archive.writestr(item, flipped if item.filename == name else data)
    done = run(bare_python, damaged, "one", tmp_path)
    assert done.returncode == 1
    assert f"{damaged} is damaged: {name}" in done.stderr


def test_another_minor_version_is_named_with_ours(bundle, tmp_path):
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    found = {}
    for path in Path.home().glob(".pyenv/versions/*/bin/python3.*"):
        if re.fullmatch(r"python3\.\d+", path.name) and path.name != f"python{here}":
            found[path.name] = path
    others = list(found.values())
    if not others:
        pytest.skip("there is no other Python here: install one with pyenv")
    for python in others:
        done = run(python, bundle, "one", tmp_path)
        other = python.name.removeprefix("python")
        assert done.returncode == 1
        assert f"captured with Python {here}, and this image has Python {other}" in done.stderr


def test_what_makes_it_large_is_listed(tmp_path):
    text = "TABLE = list(range(200_000))\ndef one(): return len(TABLE)\n"
    source = tmp_path / "src"
    source.mkdir()
    ending = MAKE.format(here=str(HERE), steps="[one]")
    (source / "s.py").write_text(text + ending)
    done = subprocess.run(
        [sys.executable, "s.py"],
        cwd=source,
        env=os.environ | {"TARGET": str(tmp_path / "b.pyz")},
        capture_output=True,
        text=True,
    )
    lines = json.loads(done.stdout)
    assert lines[0].startswith("global TABLE: ")
    assert lines[-1].startswith("kalelite itself: ")
