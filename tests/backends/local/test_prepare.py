"""What is made ready and announced before a run: packages, installed once, seen by one step alone."""

from __future__ import annotations

import importlib.util
import zipfile

import pytest
from local_steps import one

from kalelite.authoring.decorators import pipeline, step
from kalelite.authoring.events import Note
from kalelite.backends.local.local_settings import LocalSettings
from kalelite.backends.local.prepare import notes_on
from kalelite.backends.local.run import run_plan
from kalelite.errors import UsageError

needs_pip = pytest.mark.skipif(
    importlib.util.find_spec("pip") is None,
    reason="packages are installed by pip: python -m ensurepip",
)


def wheel(folder, name, version):
    """A wheel with one module, made by hand: nothing is fetched from anywhere."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(f"{name}.py", f"VERSION = {version!r}\n")
        file.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        )
        file.writestr(
            f"{info}/WHEEL",
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        file.writestr(f"{info}/RECORD", "")
    return f"{name} @ file://{path}"


class Listener:
    def __init__(self):
        self.notes = []

    def emit(self, event):
        if isinstance(event, Note):
            self.notes.append(event.text)


@pytest.fixture
def run(tmp_path):
    def run(wanted):
        listener = Listener()
        settings = LocalSettings(home=tmp_path / "home")
        result = run_plan(wanted.plan(), {}, settings=settings, reporter=listener)
        return result, [text for text in listener.notes if text.startswith("Installing")]

    return run


@needs_pip
def test_each_step_sees_the_packages_it_asks_for(run, tmp_path):
    @step(packages=[wheel(tmp_path, "kalelite_demo", "1.0")])
    def old():
        import kalelite_demo

        return kalelite_demo.VERSION

    @step(packages=[wheel(tmp_path, "kalelite_demo", "2.0")])
    def new():
        import kalelite_demo

        return kalelite_demo.VERSION

    @step
    def without():
        return importlib.util.find_spec("kalelite_demo")

    @pipeline
    def three():
        return old(), new(), without()

    first, installed = run(three)
    second, again = run(three)

    assert first.value == second.value == ("1.0", "2.0", None)
    assert (len(installed), again) == (2, [])


@needs_pip
def test_what_is_installed_here_already_is_not_installed_again(run):
    @step(packages=["pytest"])
    def use():
        return "used"

    @pipeline
    def one():
        return use()

    result, installed = run(one)

    assert (result.value, installed) == ("used", [])


@needs_pip
def test_what_cannot_be_installed_ends_the_run_before_a_step_starts(run, tmp_path):
    marker = tmp_path / "started"

    @step
    def first():
        marker.touch()

    @step(packages=[f"kalelite_demo @ file://{tmp_path}/none.whl"])
    def second():
        return 1

    @pipeline
    def two():
        first()
        second()

    with pytest.raises(UsageError, match="could not be installed"):
        run(two)

    assert not marker.exists()


@pytest.mark.parametrize(
    ("gpus", "words"),
    [((), "has none: it runs without"), (("0",), "has 1: it gets what there is"), (("0", "1"), "")],
)
def test_a_lack_of_gpus_is_told(tmp_path, gpus, words):
    @pipeline
    def two_gpus():
        one.options(gpu=2)()

    notes = notes_on(two_gpus.plan(), {}, LocalSettings(home=tmp_path), gpus)

    assert notes == ([f"A step asks for 2 GPUs, and this machine {words}."] if words else [])
