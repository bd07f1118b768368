"""The API of Kubeflow Pipelines, by kfp's own client (kfp 2.17 and newer)."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn, cast

import kfp_server_api as kfp  # type: ignore[import-untyped]
from kfp.kubeflow_client import PipelinesClient  # type: ignore[import-untyped]
from kfp.kubeflow_client.backends.kubernetes import (  # type: ignore[import-untyped]
    KubernetesBackend,
    KubernetesBackendConfig,
)

from kalelite.backends.kubeflow.submit.connection import KFP_NAMESPACE, Connection
from kalelite.backends.kubeflow.submit.forwarding import ADDRESS, forwarding_pool
from kalelite.backends.kubeflow.submit.patient_rest import (
    KfpRefusedError,
    KfpUnreachableError,
    PatientRest,
)
from kalelite.backends.kubeflow.submit.run_answer import RunAnswer, run_answer
from kalelite.errors import ClusterError, KaleliteError, UsageError
from kalelite.frozen import frozen
from kalelite.volumes.kube_client import pod_namespace


@frozen
class Greeting:
    """What the API says of itself; ``version`` is empty if it does not tell."""

    version: str
    multi_user: bool


@frozen
class Uploaded:
    """A version of a pipeline on the server; ``fresh`` if it has just been uploaded."""

    pipeline: str
    version: str
    fresh: bool


@frozen
class RunBody:
    """What a run is asked for with: once, or each time that its schedule says.

    ``marker`` is its description, by which it is found; ``experiment`` is an id, ``account`` what
    its pods run as, None for that of the installation.
    """

    uploaded: Uploaded
    name: str
    marker: str
    experiment: str
    parameters: Mapping[str, Any]
    account: str | None = None

    def fields(self) -> dict[str, Any]:
        """The fields that the API's own objects have for it."""
        return {
            "display_name": self.name,
            "description": self.marker,
            "experiment_id": self.experiment,
            "pipeline_version_reference": kfp.V2beta1PipelineVersionReference(
                pipeline_id=self.uploaded.pipeline, pipeline_version_id=self.uploaded.version
            ),
            "runtime_config": kfp.V2beta1RuntimeConfig(parameters=dict(self.parameters)),
            "service_account": self.account,
        }


class _Backend(KubernetesBackend):  # type: ignore[misc]
    """kfp's client, which sends by one ApiClient with time limits."""

    def __init__(self, connection: Connection, api: Any = None) -> None:
        host = api.configuration.host if api is not None else connection.host
        self.through = through = connection.by_kubeconfig and api is None
        config = KubernetesBackendConfig(
            base_url="http://unknown" if through else host,
            user_token=connection.token(),
            is_secure=None if connection.kfp_verify == "true" else False,
            custom_ca=connection.certificates(),
            namespace=connection.kfp_namespace,
        )
        super().__init__(config)
        configuration = self._api_config
        if through:
            connection.put_kubeconfig(configuration)
        elif connection.kfp_token_file and not connection.kfp_token:
            configuration.refresh_api_key_hook = lambda given: given.api_key.update(
                authorization=connection.token()
            )
        self.api = api or kfp.ApiClient(configuration, cookie=connection.kfp_cookies)
        self.api.rest_client = PatientRest(self.api.configuration)
        services = (self._pipelines_api, self._run_api, self._experiment_api, self._upload_api)
        for service in (*services, self._healthz_api):
            service.api_client = self.api

    def forward(self, context: str | None, token: str | None) -> None:
        """Go through a port of the API's pod; raises `ClusterError`."""
        self.api.rest_client.pool_manager = forwarding_pool(context)
        configuration = self.api.configuration
        configuration.host, configuration.refresh_api_key_hook = ADDRESS, None
        configuration.api_key = {"authorization": token} if token else {}  # Kubernetes' own stays
        self.through = False

    def verify_backend(self) -> None:
        """Asked by `KfpService.greet`, which has a time limit and raises."""


class KfpService:
    """One KFP API and, where it has many users, one namespace in it.

    ``namespace`` is where the pods are. ``profile`` is the same where there are many users, and is
    empty else: then the API has no namespaces. Its methods raise `ClusterError`, of which
    `KfpUnreachableError` may pass.
    """

    def __init__(self, connection: Connection, client: Any = None) -> None:
        """``client`` is the user's own: a `kfp.Client` or a `PipelinesClient`."""
        with _quiet():
            self._backend = _Backend(connection, _api_of(client))
        self._connection = connection
        self.namespace: str | None = connection.kfp_namespace
        self.profile = ""

    @property
    def host(self) -> str:
        """The address of the API."""
        return str(self._backend.api.configuration.host)

    @property
    def api(self) -> Any:
        """The `kfp_server_api.ApiClient` by which it is asked."""
        return self._backend.api

    @property
    def received(self) -> int:
        """Bytes of the answers so far."""
        return int(self._backend.api.rest_client.received)

    def greet(self) -> Greeting:
        """Whether the API is there, and which it is."""
        try:
            data = self._get("/apis/v2beta1/healthz")
        except KfpRefusedError as error:
            if error.status != 403 or not self._backend.through:
                raise
            self._forward(error)
            data = self._get("/apis/v2beta1/healthz")
        if "multi_user" not in data:
            raise ClusterError(
                f"{self.host} is not Kubeflow Pipelines 2: it answers {str(data)[:100]!r}",
                hint="Give the address of its API, or of its UI, as KALELITE_KFP_HOST.",
            )
        greeting = Greeting(str(data.get("tag_name", "")), bool(data["multi_user"]))
        if greeting.multi_user:
            self.namespace = self.namespace or pod_namespace()
            if self.namespace is None:
                raise UsageError(
                    "this Kubeflow has many users, and no namespace is given",
                    hint="KALELITE_KFP_NAMESPACE is the namespace of your profile.",
                )
            self.profile = self.namespace
        self._backend._namespace = self.namespace or "kubeflow"
        return greeting

    def _forward(self, refused: KfpRefusedError) -> None:
        connection = self._connection
        try:
            self._backend.forward(connection.kfp_context, connection.token())
        except ClusterError as error:
            refused.hint = (
                f"Nor by a port of its pod: {error.message}. In the namespace {KFP_NAMESPACE} you "
                "need the right to get services/proxy, or to list pods and create pods/portforward."
            )
            raise refused from error

    def experiment(self, name: str) -> str:
        """The id of the experiment of that name, which is made if there is none."""
        with _explained():
            return str(self._backend.create_experiment(name).experiment_id)

    def upload(self, name: str, version: str, package: Path) -> Uploaded:
        """A version of a pipeline; nothing is sent if the server has it."""
        with _quiet(), _explained():
            found = self._version(name, version)
            if found is not None:
                return found
            try:
                made = self._backend.upload_pipeline(str(package), name=name, version_name=version)
            except (KfpUnreachableError, KfpRefusedError) as error:
                # Another has just uploaded it, or the answer got lost.
                taken = isinstance(error, KfpUnreachableError) or error.status == 409
                found = self._version(name, version) if taken else None
                if found is None:
                    raise
                return found
            return Uploaded(made.pipeline_id, made.pipeline_version_id, fresh=True)

    def _version(self, name: str, version: str) -> Uploaded | None:
        backend = self._backend
        pipeline = backend._get_pipeline_id_by_name(name)
        if pipeline is None:
            return None
        found = backend._get_version_id_by_name(pipeline, version)
        return Uploaded(pipeline, found, fresh=False) if found else None

    def start(self, asked: RunBody) -> str:
        """Start a run; its id. Where an answer gets lost it is found by its marker, not started twice.

        One that may have begun when this raises is ended: nobody would know of it.
        """
        try:
            return self._start(asked)
        except (KfpUnreachableError, KeyboardInterrupt):
            with suppress(KaleliteError, KeyboardInterrupt):
                if begun := self.find(asked.name, asked.marker):
                    self.terminate(begun)
            raise

    def _start(self, asked: RunBody) -> str:
        body = kfp.V2beta1Run(**asked.fields())
        for _ in range(3):
            try:
                return str(self._backend.run_api.run_service_create_run(run=body).run_id)
            except KfpUnreachableError:
                found = self.find(asked.name, asked.marker)
                if found:
                    return found
        return str(self._backend.run_api.run_service_create_run(run=body).run_id)

    def find(self, name: str, marker: str) -> str | None:
        """The id of the run with that name and marker."""
        predicate = {"operation": "EQUALS", "key": "display_name", "stringValue": name}
        answer = self._backend.run_api.run_service_list_runs(
            namespace=self.profile,
            page_size=20,
            sort_by="created_at desc",
            filter=json.dumps({"predicates": [predicate]}),
        )
        return next((run.run_id for run in answer.runs or () if run.description == marker), None)

    def run(self, id: str) -> RunAnswer:
        """The state of a run and of its nodes, without the pipeline."""
        return run_answer(self._get(f"/apis/v2beta1/runs/{id}"))

    def pipeline(self, id: str) -> dict[str, Any]:
        """The PipelineSpec that a run was started with."""
        found = self._get(f"/apis/v2beta1/runs/{id}")
        if "pipeline_spec" not in found:
            of = found["pipeline_version_reference"]
            version = f"{of['pipeline_id']}/versions/{of['pipeline_version_id']}"
            found = self._get(f"/apis/v2beta1/pipelines/{version}")
        spec = found["pipeline_spec"]
        return cast("dict[str, Any]", spec.get("pipeline_spec", spec))

    def manifest(self, id: str) -> dict[str, Any]:
        """The Workflow of a run, as the API has kept it; empty if it has none.

        It may be large: a kilobyte for every ten lines of it.
        """
        answer = self._get(f"/apis/v1beta1/runs/{id}")
        text = answer.get("pipeline_runtime", {}).get("workflow_manifest") or "{}"
        return cast("dict[str, Any]", json.loads(text))

    def terminate(self, id: str) -> None:
        """Ask for the end of a run; one that has ended is left as it is."""
        try:
            self._backend.run_api.run_service_terminate_run(id)
        except KfpRefusedError as error:
            if "not found" not in error.message.lower() or error.status not in {400, 404}:
                raise

    def url(self, id: str) -> str:
        """Where a person sees the run."""
        ui = self._connection.kfp_ui or self.host
        return f"{ui.rstrip('/')}/#/runs/details/{id}"

    def _get(self, path: str) -> dict[str, Any]:
        answer = self._backend.api.call_api(
            path,
            "GET",
            header_params={"Accept": "application/json"},
            auth_settings=["Bearer"],
            _preload_content=False,
            _return_http_data_only=True,
        )
        return cast("dict[str, Any]", json.loads(answer.data or b"{}"))


def _api_of(client: Any) -> Any:
    """The `kfp_server_api.ApiClient` of a client that the user has made."""
    if client is None:
        return None
    if isinstance(client, PipelinesClient):
        client = client._backend
    api = getattr(getattr(client, "_run_api", None), "api_client", None)
    if api is None:
        raise UsageError(
            f"client= is a {type(client).__name__}",
            hint="Give a kfp.Client or a kfp.kubeflow_client.PipelinesClient.",
        )
    return api


@contextmanager
def _quiet() -> Iterator[None]:
    """Kfp tells of what it does by logs and warnings: our own words say it once."""
    logger = logging.getLogger("kfp")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)


@contextmanager
def _explained() -> Iterator[None]:
    """What kfp's client itself refuses, such as two pipelines of one name."""
    try:
        yield
    except (ValueError, RuntimeError) as error:
        _refuse(error)


def _refuse(error: Exception) -> NoReturn:
    raise ClusterError(f"Kubeflow Pipelines: {error}") from error
