"""Steps that kalelite itself brings: called in a pipeline's body they are tasks as any other."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from kalelite.authoring.step import Step
from kalelite.errors import Problem, UsageError
from kalelite.executor import own_functions
from kalelite.plan.graph import Constant, Expr, StepDef
from kalelite.plan.names import object_name
from kalelite.plan.options import StepOptions
from kalelite.plan.options.secrecy import secret_reason
from kalelite.volumes.stored_object import is_url

_Check = Callable[[Mapping[str, Any]], Iterator[Problem]]
"""What is wrong with the arguments of a call that are constants, by name."""


class OwnStep(Step[..., Any]):
    """A step whose function is kalelite's; its result is never taken from an earlier run."""

    def __init__(self, function: Callable[..., Any], check: _Check) -> None:
        summary = (function.__doc__ or "").partition("\n")[0]
        options = StepOptions(cache=False)
        signature = inspect.signature(function)
        super().__init__(StepDef(function.__name__, function, signature, summary, options))
        self._check = check

    def misuse(self, arguments: Mapping[str, Expr]) -> Iterator[Problem]:
        """What is wrong with a call."""
        if self.call_options is not None and self.call_options.cache:
            yield Problem(
                f"{self.definition.name} is no step whose result could be kept",
                "Leave out cache=True: it is done in every run.",
            )
        given = {name: each.value for name, each in arguments.items() if isinstance(each, Constant)}
        yield from self._check(given)


def _check_snapshot(given: Mapping[str, Any]) -> Iterator[Problem]:
    volume = given.get("volume", "workspace")
    if isinstance(volume, str) and not volume.strip():
        yield Problem(
            "snapshot is given no name of a volume",
            "Write snapshot('workspace', after=...), or the path of a folder.",
        )
    name = given.get("snapshot_class")
    if name is not None:
        try:
            object_name(name, "snapshot_class")
        except UsageError as error:
            yield Problem(error.message, error.hint)


def _check_sync(given: Mapping[str, Any]) -> Iterator[Problem]:
    ends = (given.get(name) for name in ("source", "target"))
    places = [each for each in ends if isinstance(each, str)]
    if "" in places:
        yield Problem("sync is given no name of a folder or store", _EXAMPLE)
    elif len(places) == 2 and is_url(places[0]) == is_url(places[1]):
        both = "two URLs" if is_url(places[0]) else "two folders"
        yield Problem(f"sync copies between a store and a folder, not between {both}", _EXAMPLE)
    width = given.get("parallelism", 8)
    if isinstance(width, int) and width < 1:
        yield Problem(
            f"parallelism={width!r:.60} is not a number of files to copy at once",
            "Write a whole number from 1 on.",
        )
    options = given.get("storage_options")
    found = [("a URL", each) for each in places]
    found += options.items() if isinstance(options, Mapping) else ()
    for name, value in found:
        if name in {"key", "secret", "token", "password"} or secret_reason(str(name), str(value)):
            yield Problem(
                f"sync is given a secret in {name if name == 'a URL' else 'storage_options'}",
                "It would stand in the plan and in the record of a run. Give it by "
                "sync.options(secrets={'AWS_SECRET_ACCESS_KEY': ('my-secret', 'key'), ...})(...).",
            )


_EXAMPLE = 'Write sync("s3://bucket/prefix", "data/"), or the two the other way around.'

if TYPE_CHECKING:

    class _Snapshot(OwnStep):
        def __call__(
            self,
            volume: str = "workspace",
            *,
            snapshot_class: str | None = None,
            after: object = None,
        ) -> str: ...

    class _Sync(OwnStep):
        def __call__(
            self,
            source: str,
            target: str,
            *,
            delete: bool = False,
            parallelism: int = 8,
            storage_options: Mapping[str, Any] | None = None,
            after: object = None,
        ) -> str: ...


snapshot: _Snapshot = OwnStep(own_functions.snapshot, _check_snapshot)  # type: ignore[assignment]
"""`kalelite.executor.own_functions.snapshot` as a step."""

sync: _Sync = OwnStep(own_functions.sync, _check_sync)  # type: ignore[assignment]
"""`kalelite.executor.own_functions.sync` as a step."""
