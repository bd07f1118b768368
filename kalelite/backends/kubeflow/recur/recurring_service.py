"""The recurring runs of the API of Kubeflow Pipelines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

import kfp_server_api as kfp  # type: ignore[import-untyped]

from kalelite.backends.kubeflow.submit.patient_rest import KfpUnreachableError
from kalelite.frozen import frozen

if TYPE_CHECKING:
    from kalelite.backends.kubeflow.submit.kfp_service import KfpService, RunBody


@frozen
class Recurrence:
    """A recurring run as the API has it."""

    id: str
    name: str
    description: str
    cron: str
    enabled: bool
    created: datetime | None


class RecurringService:
    """Its methods raise `ClusterError`."""

    def __init__(self, service: KfpService) -> None:
        self._api = kfp.RecurringRunServiceApi(service.api)
        self._runs = kfp.RunServiceApi(service.api)
        self._namespace = service.profile

    def start(self, asked: RunBody, cron: str) -> str:
        """Make one; its id. It is found by its marker where the answer gets lost."""
        body = kfp.V2beta1RecurringRun(
            **asked.fields(),
            # One that is not done yet is not overtaken, and what was missed is not caught up on.
            max_concurrency="1",
            no_catchup=True,
            mode="ENABLE",
            trigger=kfp.V2beta1Trigger(cron_schedule=kfp.V2beta1CronSchedule(cron=cron)),
            namespace=self._namespace or None,
        )
        try:
            made = self._api.recurring_run_service_create_recurring_run(recurring_run=body)
        except KfpUnreachableError:
            found = [each.id for each in self.all() if each.description == asked.marker]
            if not found:
                raise
            return found[0]
        return str(made.recurring_run_id)

    def all(self) -> Iterator[Recurrence]:
        """All that there are, newest first."""
        token = ""
        while True:
            answer = self._api.recurring_run_service_list_recurring_runs(
                namespace=self._namespace,
                page_size=100,
                page_token=token,
                sort_by="created_at desc",
            )
            for one in answer.recurring_runs or ():
                schedule = one.trigger.cron_schedule if one.trigger else None
                yield Recurrence(
                    str(one.recurring_run_id),
                    str(one.display_name),
                    str(one.description or ""),
                    str(schedule.cron if schedule else ""),
                    one.status == "ENABLED",
                    one.created_at,
                )
            token = answer.next_page_token or ""
            if not token:
                return

    def going(self, id: str) -> list[str]:
        """The names of its runs that go on."""
        predicate = {"operation": "EQUALS", "key": "recurring_run_id", "stringValue": id}
        answer = self._runs.run_service_list_runs(
            namespace=self._namespace,
            page_size=100,
            sort_by="created_at desc",
            filter=json.dumps({"predicates": [predicate]}),
        )
        found = answer.runs or ()
        return [str(run.display_name) for run in found if run.state in {"PENDING", "RUNNING"}]

    def enable(self, id: str) -> None:
        """Let it start runs."""
        self._api.recurring_run_service_enable_recurring_run(id)

    def disable(self, id: str) -> None:
        """Let it start no runs, until it is enabled again."""
        self._api.recurring_run_service_disable_recurring_run(id)

    def delete(self, id: str) -> None:
        """Remove it, and what of its runs is in Kubernetes; their records stay."""
        self._api.recurring_run_service_delete_recurring_run(id)
