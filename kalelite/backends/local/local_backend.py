"""The local backend as pipelines and the command line know it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kalelite.authoring.backends import Backend, Listener
from kalelite.backends.local.local_settings import LocalSettings
from kalelite.home_folder import home as home_of

if TYPE_CHECKING:
    from kalelite.plan.graph import Plan
    from kalelite.runs.run_result import RunResult


class LocalBackend(Backend):
    """Runs pipelines on this machine."""

    name = "local"

    def __init__(self, settings: LocalSettings | None = None) -> None:
        self._settings = settings or LocalSettings()

    def run(
        self, plan: Plan, arguments: Mapping[str, Any], listener: Listener | None = None
    ) -> RunResult:
        """Run the plan to its end, every task in a process of its own."""
        from kalelite.backends.local.run import run_plan

        return run_plan(plan, arguments, settings=self._settings, reporter=listener)

    def resuming(self, run: str) -> LocalBackend:
        """The same backend, which goes on with a run."""
        return LocalBackend(replace(self._settings, resume=run))

    def prepare(self, source: str, path: Sequence[str]) -> None:
        """Let the fork server import what the script imports, and import the rest here."""
        if not self._settings.debug and self._settings.start != "spawn":
            # Before the fork, as both sides need them.
            import kalelite.capture.load
            import kalelite.executor.spec
            import kalelite.marshal
            from kalelite.backends.local.pool.prewarm import prewarm

            prewarm(source, path, fork=True)
        import kalelite.backends.local.run  # noqa: F401 - for later


def local_backend(**settings: Any) -> LocalBackend:
    """A backend with the settings of `LocalSettings`; its home is decided now."""
    home = home_of(settings.pop("home", None))
    return LocalBackend(LocalSettings(home=home, **settings))
