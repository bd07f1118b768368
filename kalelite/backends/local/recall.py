"""Which instances of a run need not run: an earlier run has what they would give."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kalelite.executor.record_file import inputs_of
from kalelite.executor.result_cache import ResultCache, ResultClaims
from kalelite.executor.task_key import Keys, brings_code
from kalelite.runs.kept_results import write_keys

if TYPE_CHECKING:
    from kalelite.backends.local.local_settings import LocalSettings
    from kalelite.engine.task_keys import TaskKeys
    from kalelite.executor.result_cache import Found
    from kalelite.executor.spec import Record, TaskSpec
    from kalelite.marshal import Store
    from kalelite.plan.graph import Task
    from kalelite.runs.earlier import Earlier, Given
    from kalelite.runs.writing import RunFolder


@dataclass
class Recall:
    """Looks for the results of earlier runs, once for each instance, and keeps new ones.

    ``note`` is called once for each step with ``cache=True`` whose results cannot be told from
    others. ``earlier`` is the run that this one goes on from, ``given`` what is taken from a run by
    name.
    """

    run: RunFolder
    store: Store
    keys: TaskKeys
    settings: LocalSettings
    note: Callable[[str], object]
    earlier: Earlier | None = None
    given: Given | None = None
    _looked: set[str] = field(default_factory=set)
    _kept: dict[str, tuple[str, list[ResultCache]]] = field(default_factory=dict)
    _busy: set[str] = field(default_factory=set)
    _made: dict[str, Keys | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._cache = ResultCache(self.run.home / "cache", self.store)
        share = self.settings.share
        self._shared = ResultCache(share, self.store) if share else None
        self._claims = ResultClaims(share / "claims") if share else None
        self._pending: Iterator[str] | None = self.keys.make()

    @property
    def goes_on(self) -> bool:
        """Whether the run goes on from another one."""
        return self.earlier is not None or self.given is not None

    def find(self, task: Task, name: str, spec: Callable[[], TaskSpec]) -> Record | None:
        """The result that stands for an instance, noted in the run's record."""
        if name in self._looked:
            return None
        self._looked.add(name)
        self._busy.discard(name)
        found = self._find(task, name, spec)
        if found is None:
            return None
        try:
            self.run.take(found.record, found.folder)
        except OSError:  # what it logged has gone meanwhile
            return None
        return found.record

    def _find(self, task: Task, name: str, spec: Callable[[], TaskSpec]) -> Found | None:
        if self.given is not None and self.given.has(name):
            return self.given.find(name)
        cached = self._caches(task)
        shared = self._shared if task.options.cache is not False else None
        needed = cached or shared or self.earlier
        keys = self._keys_of(task, noting=cached) if needed else None
        if keys is None:
            return None
        inputs = inputs_of(spec().arguments)
        fresh = not {task.id, task.step.name}.isdisjoint(self.settings.refresh)
        if self.earlier is not None and not fresh:
            found = self.earlier.find(keys, inputs, name)
            if found is not None:
                return found
        caches = [*([self._cache] if cached else []), *([shared] if shared else [])]
        if not caches:
            return None
        lineage = brings_code(inputs, lambda ref: self.store.describe(ref).encoding)
        key = keys.of(inputs, name, lineage=lineage)
        self._kept[name] = key, caches
        if fresh or self.settings.cache is False:
            return None
        found = next(filter(None, (cache.find(key, name) for cache in caches)), None)
        if found is None and shared is not None and self._claims is not None:
            self._claim(key, name, self._claims)
        return found

    def _claim(self, key: str, name: str, claims: ResultClaims) -> None:
        """Be the one that makes a shared result, or look again later."""
        if not claims.take(key):
            self._busy.add(name)
            self._looked.discard(name)

    def waits(self, name: str) -> bool:
        """Whether another run is making the result of an instance."""
        return name in self._busy

    def _caches(self, task: Task) -> bool:
        """Whether the results of a task are kept for all runs to come."""
        asked = task.options.cache
        return asked is not False if self.settings.cache else bool(asked)

    def remember(self, record: Record) -> None:
        """Keep the record of an instance, for steps that ask for it."""
        key, caches = self._kept.get(record.task, ("", []))
        for cache in caches if record.status == "succeeded" else ():
            cache.keep(key, record, self.run.id, self.run.tasks / record.task)
        if self._claims is not None:
            self._claims.release(key)

    def idle(self) -> bool:
        """Make the key of one more task, while nothing else is to be done; false if all are made.

        With the last one all are written, for those who go on from this run, and its diagram.
        """
        if self._pending is None:
            return False
        if next(self._pending, None) is None:
            self._pending = None
            write_keys(self.run.folder, self.keys.all())
            self.run.draw()
        return True

    def _keys_of(self, task: Task, *, noting: bool) -> Keys | None:
        """What makes the keys of a task's instances; None if its results cannot be told apart."""
        if task.id not in self._made:
            key = self.keys.get(task.id)
            self._made[task.id] = Keys(key) if key is not None else None
            if key is None and noting:
                why = self.keys.failed[task.id]
                self.note(f"{task.step.name}: its result cannot be kept for other runs ({why}).")
        return self._made[task.id]
