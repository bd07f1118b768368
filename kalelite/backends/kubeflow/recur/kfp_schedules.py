"""Pipelines that KFP runs by a schedule: begun, listed, enabled, disabled and deleted."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from kalelite.authoring.backends import Recurring
from kalelite.backends.kubeflow.compile.build import build, package
from kalelite.backends.kubeflow.compile.compile_settings import settings_for
from kalelite.backends.kubeflow.recur.recurring_service import RecurringService
from kalelite.backends.kubeflow.recur.recurring_volumes import (
    let_go_with,
    remove_snapshots,
    with_snapshots,
)
from kalelite.backends.kubeflow.submit.connection import cluster_of
from kalelite.backends.kubeflow.submit.kfp_service import KfpService
from kalelite.backends.kubeflow.submit.submission import require_runnable, run_body
from kalelite.errors import ClusterError, UsageError
from kalelite.plan.cron import Cron

if TYPE_CHECKING:
    from kalelite.backends.kubeflow.recur.recurring_service import Recurrence
    from kalelite.backends.kubeflow.submit.run_request import RunRequest
    from kalelite.plan.graph import Plan

_MARKER = "kalelite recurring "


class KfpSchedules:
    """Those of one API that are kalelite's; ``note`` hears what the user should know."""

    def __init__(self, request: RunRequest, note: Callable[[str], None]) -> None:
        self._request = request
        self._note = note
        self._service = KfpService(request.connection, request.client)
        self._version = self._service.greet().version
        self._recurring = RecurringService(self._service)
        self._cluster = cluster_of(request.connection, self._service.namespace)
        self._ui = request.connection.kfp_ui or self._service.host

    def start(
        self, plan: Plan, arguments: Mapping[str, Any], cron: Cron, *, fresh: bool = False
    ) -> Recurring:
        """Let KFP run a checked plan by a schedule.

        Of a notebook's volumes snapshots are taken now, or by each run when it starts if they are to
        be ``fresh``; each run has clones of these, and a marshal volume of its own where no lasting
        one is given. The same code is the same version of the pipeline. Raises as `kalelite.backends.kubeflow.submit.submission.submit`.
        """
        given = {"kfp_version": self._version or None, **self._request.settings}
        settings = settings_for(plan, given)
        require_runnable(plan, settings, arguments)
        id = f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{os.urandom(3).hex()}"
        if not settings.carries:
            settings = replace(settings, marshal_volume=settings.marshal_volume or True)
        snapshot = self._request.source()
        if self._cluster is not None:
            settings = with_snapshots(
                self._cluster, id, settings, self._note, snapshot=snapshot, fresh=fresh
            )
        elif snapshot:
            raise UsageError(f"snapshot {snapshot} is in a cluster that cannot be reached")
        if fresh and not settings.clones:
            raise UsageError("there are no volumes of a notebook here to take snapshots of")
        try:
            compiled = build(plan, settings)
            with TemporaryDirectory() as folder:
                path = Path(folder, "pipeline.yaml")
                path.write_bytes(package(plan, compiled))
                name = self._request.run_name or f"{plan.name} {cron.text}"
                of = f"{_MARKER}{id}"
                body = run_body(
                    plan, arguments, self._request, self._service, compiled, path, name, of
                )
            made = self._recurring.start(body, cron.with_seconds())
        except BaseException:
            with contextlib.suppress(ClusterError):
                self._forget(id)
            raise
        if self._cluster is not None:
            try:
                let_go_with(self._cluster, id, made)
            except ClusterError as error:
                self._note(f"kalelite clean would remove its snapshots: {error.message}")
        return next(each for each in self.all() if each.id == made)

    def all(self) -> list[Recurring]:
        """Those that kalelite has made, newest first."""
        found = self._recurring.all()
        return [self._shown(each) for each in found if each.description.startswith(_MARKER)]

    def _shown(self, one: Recurrence) -> Recurring:
        # KFP's schedule has a field of seconds before cron's five.
        cron = one.cron.partition(" ")[2]
        try:
            times = Cron.parse(cron).next_times(datetime.now(UTC)) if one.enabled else []
        except UsageError:  # changed by hand, into what only KFP reads
            times = []
        url = f"{self._ui.rstrip('/')}/#/recurringrun/details/{one.id}"
        return Recurring(one.id, one.name, cron, one.enabled, tuple(times), url)

    def enable(self, id: str) -> None:
        """Let one start runs again."""
        self._recurring.enable(id)

    def disable(self, id: str) -> None:
        """Let one start no runs."""
        self._recurring.disable(id)

    def delete(self, id: str) -> None:
        """Remove one, and the snapshots that its runs were clones of.

        Raises `UsageError` if a run of it goes on, which Kubeflow would remove with it; no other
        run is started then.
        """
        going = self._recurring.going(id)
        if going:
            self._recurring.disable(id)
            raise UsageError(
                f"its run {going[0]} goes on, and would be lost with it",
                hint="It starts no more runs. Delete it when that one has ended.",
            )
        found = next((each for each in self._recurring.all() if each.id == id), None)
        self._recurring.delete(id)
        if found is not None:
            self._forget(found.description.removeprefix(_MARKER))

    def _forget(self, id: str) -> None:
        if self._cluster is not None:
            remove_snapshots(self._cluster, id)
