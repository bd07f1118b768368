"""`capture`: from a plan to the code that its steps need, as data."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kalelite.blake import blake2b
from kalelite.capture.archive import DataFiles, StepCode, archive, digest_of, sizes
from kalelite.capture.formats import RegisteredFormat, registered_formats
from kalelite.capture.gather import Gatherer
from kalelite.capture.rebuild import plain
from kalelite.capture.state.taking import State, notes, take
from kalelite.errors import CaptureError, Where
from kalelite.frozen import frozen
from kalelite.plan.graph import Plan, StepDef, Task

if TYPE_CHECKING:
    from kalelite.capture.fingerprint import Fingerprint, Fingerprints
    from kalelite.capture.gather import Reached
    from kalelite.capture.pickled import Pickled

__all__ = ["Code", "LiveCode", "StepCode", "capture", "fingerprint"]

DEFAULT_LIMIT = 10_000_000
"""Largest pickle of one global, in bytes."""


class Code:
    """The captured code of a plan. `constant` may add to it until it is written."""

    def __init__(self, limit: int) -> None:
        self.steps: dict[str, StepCode] = {}
        self.constants: dict[str, Pickled] = {}
        self._live: dict[str, Any] = {}
        self._values: dict[str, Any] = {}
        self._keys: dict[int, str] = {}
        self._repeated: set[str] = set()
        self._formats: list[RegisteredFormat] = []
        self._gatherer = Gatherer(limit)
        self._known: dict[str, Fingerprint] = {}
        self._state_digest: str | None = None
        self.state = State()
        self.data = DataFiles({}, {})

    # --- filling -----------------------------------------------------------------------------

    def add(self, steps: Iterable[StepDef]) -> None:
        """Capture steps.

        Raises `CaptureError`: with all that cannot travel.
        """
        steps = list(steps)
        self._gatherer.know(plain(step.function) for step in steps)
        for step in steps:
            self._add(step)
        self._formats = registered_formats(self._gatherer)
        self._refuse()

    def _add(self, step: StepDef) -> None:
        """Capture a step; steps that share a function share its code."""
        function = plain(step.function)
        if id(function) in self._keys:
            self._repeated.add(self._keys[id(function)])
            return
        key, count = step.name, 1
        while key in self._live:
            count += 1
            key = f"{step.name}-{count}"
        self._keys[id(function)] = key
        self._live[key] = function
        taken = self._gatherer.root(function, f"step {step.name!r}", step.where)
        if taken is not None:
            self.steps[key] = StepCode(key, step.name, taken, self._gatherer.sources(taken))

    def take_state(self, first: str) -> None:
        """Take what the script has done to its process; ``first`` is the task called first."""
        self.state = take(self._gatherer, first)
        self._refuse()

    def constant(self, value: Any, *, name: str = "a constant", where: Where | None = None) -> str:
        """Add a constant and return its name; equal pickles share one.

        Raises `CaptureError` if the value cannot travel; ``name`` says what it is, ``where`` where
        it is used.
        """
        taken = self._gatherer.root(value, name, where)
        self._refuse()
        assert taken is not None
        digest = digest_of(taken.packed(self._class_id))
        self.constants[digest] = taken
        self._values[digest] = value
        return digest

    def reached(self) -> list[Reached]:
        """What each step and constant reaches."""
        roots = [*(step.pickled for step in self.steps.values()), *self.constants.values()]
        return [self._gatherer.reached(root) for root in roots]

    def _refuse(self) -> None:
        problems = tuple(self._gatherer.problems)
        if problems:
            self._gatherer.problems.clear()
            raise CaptureError.of(problems)

    # --- reading -----------------------------------------------------------------------------

    def key_of(self, task: Task) -> str:
        """The key of the task's step in `steps`."""
        if not isinstance(task.step, StepDef):
            raise TypeError(f"task {task.id!r} is a container step: it has no Python code")
        return self._keys[id(plain(task.step.function))]

    def step(self, task: Task) -> StepCode:
        """The captured step of a task."""
        return self.steps[self.key_of(task)]

    def fingerprint(self, name: str) -> Fingerprint:
        """The fingerprint of the step with that key, or of the constant with that name."""
        if name not in self._known:
            step = self.steps.get(name)
            taken = step.pickled if step else self.constants[name]
            self._known[name] = self._fingerprints.of(taken)
        return self._known[name]

    def names(self, task: Task) -> frozenset[str]:
        """All names in the code that a task may run, also of attributes and inside of strings."""
        return self._fingerprints.names(self.step(task).pickled)

    def libraries(self, task: Task) -> frozenset[str]:
        """The installed packages that the code of a task imports."""
        return self._fingerprints.libraries(self.step(task).pickled)

    def state_digest(self) -> str:
        """A digest of what the script has done to its process, as the steps meet it.

        Where it has seeded generators, each place draws numbers of its own besides.
        """
        if self._state_digest is None:
            roots = [self._fingerprints.of(root).digest for root in self.state.roots()]
            seeds = [repr(self.state.generators)] if self.state.generators else []
            parts = [*roots, *self.state.imports, *seeds]
            self._state_digest = digest_of("\n".join(parts).encode()) if parts else ""
        return self._state_digest

    @functools.cached_property
    def _fingerprints(self) -> Fingerprints:
        """Most runs cache nothing, and need no more than the ids of their classes."""
        from kalelite.capture.fingerprint import Fingerprints

        return Fingerprints(self._gatherer)

    def _class_id(self, cls: type) -> str:
        return self._fingerprints.class_id(cls)

    def live(self) -> LiveCode:
        """The live functions and constants of this process, for debugging."""
        return LiveCode(self._live, self._values, self.state)

    def notes(self) -> list[str]:
        """What of the script the steps do not find, in a sentence each."""
        steps = {key: (self._live[key], step.pickled) for key, step in self.steps.items()}
        return notes(self.state, self._gatherer, steps, self._repeated)

    # --- writing -----------------------------------------------------------------------------

    def files(self) -> dict[str, bytes]:
        """The files of the captured code, by relative path; the same code gives the same bytes."""
        steps = self.steps.values()
        return archive(
            self._gatherer,
            self._class_id,
            steps,
            self.constants,
            self._formats,
            self.state,
            self.data.travel,
        )

    def write(self, folder: str | Path) -> None:
        """Write the captured code, to be read by `kalelite.capture.load.CodeFolder`."""
        path = Path(folder)
        (path / "blobs").mkdir(parents=True, exist_ok=True)
        files = self.files()
        # The index last: a folder that has one is whole.
        for name in sorted(files, key=lambda name: name == "index.json"):
            target = path / name
            part = target.with_name(f"{target.name}.part")
            part.write_bytes(files[name])
            part.replace(target)

    def installed(self, folder: Path) -> Path:
        """Where it is, below a folder under the digest of its bytes; written if it is not there."""
        digest = blake2b(digest_size=16)
        for name, data in sorted(self.files().items()):
            digest.update(f"{name}\0{len(data)}\0".encode())
            digest.update(data)
        target = folder / digest.hexdigest()
        if (target / "index.json").exists():
            os.utime(target)  # whoever frees unused code sees that it is wanted
            return target
        part = folder / f".{target.name}.{os.getpid()}"
        self.write(part)
        try:
            part.rename(target)
        except OSError:
            # Another run has written the same code meanwhile.
            import shutil  # not above: it loads four compression libraries

            shutil.rmtree(part, ignore_errors=True)
        return target

    def sizes(self) -> list[tuple[str, int]]:
        """What the code is made of, largest first, in bytes: for the message that it is too large."""
        return sizes(self._gatherer, self.steps.values(), self.constants)


@frozen
class LiveCode:
    """A `CodeSource` of what is in this process already: nothing is copied."""

    functions: Mapping[str, Any]
    constants: Mapping[str, Any]
    state: State

    def begin(self, place: str) -> None:
        """Give the process the generators of a place; all else is in it."""
        self.state.begin(place)

    def function(self, key: str) -> Any:
        """The user's own function."""
        return self.functions[key]

    def constant(self, name: str) -> Any:
        """The user's own object."""
        return self.constants[name]


def capture(plan: Plan, *, limit: int = DEFAULT_LIMIT) -> Code:
    """Take the code of all steps of a plan, with all that it reaches.

    Raises `CaptureError`: with a problem for each global that cannot travel, or is too large to.

    Parameters
    ----------
    plan
        The plan; its container steps have no code and are passed over.
    limit
        The largest pickle of one global, in bytes.
    """
    code = Code(limit)
    tasks = [task for task in plan.tasks if isinstance(task.step, StepDef)]
    code.add([task.step for task in tasks if isinstance(task.step, StepDef)])
    # Steps of kalelite's own draw no numbers.
    users = (task.id for task in tasks if isinstance(task.step, StepDef) and not task.step.is_own)
    code.take_state(next(users, ""))
    return code


def fingerprint(value: Any) -> Fingerprint:
    """The fingerprint of a function, or of any other value, by itself.

    Raises `CaptureError` if it reaches something that cannot travel.
    """
    from kalelite.capture.fingerprint import Fingerprints

    gatherer = Gatherer(sys.maxsize)
    gatherer.know([plain(value)])
    taken = gatherer.root(plain(value), "the value", None)
    if taken is None or gatherer.problems:
        raise CaptureError.of(tuple(gatherer.problems))
    return Fingerprints(gatherer).of(taken)
