"""The API of Kubeflow Pipelines, against a server that also misbehaves."""

from __future__ import annotations

import json

import kfp
import pytest
from kfp.kubeflow_client import KubernetesBackendConfig, PipelinesClient

from kalelite.backends.kubeflow.submit.connection import Connection
from kalelite.backends.kubeflow.submit.kfp_service import Greeting, KfpService, RunBody
from kalelite.backends.kubeflow.submit.patient_rest import PatientRest
from kalelite.errors import ClusterError, UsageError


@pytest.fixture
def slept(monkeypatch):
    """Repetitions come at once; the seconds that they would have waited."""
    waits: list[float] = []
    before = PatientRest.__init__
    monkeypatch.setattr(
        PatientRest, "__init__", lambda self, config: before(self, config, sleep=waits.append)
    )
    return waits


@pytest.fixture
def service(kfp_server, slept):
    found = KfpService(Connection(kfp_host=kfp_server.host))
    found.greet()
    return found


@pytest.fixture
def package(tmp_path):
    path = tmp_path / "pipeline.yaml"
    path.write_text("pipelineInfo:\n  name: chain\n")
    return path


def start(service, package, name="a run"):
    uploaded = service.upload("chain", "v1", package)
    experiment = service.experiment("Default")
    return service.start(RunBody(uploaded, name, "m1", experiment, {}))


def test_the_api_tells_its_version(kfp_server):
    assert KfpService(Connection(kfp_host=kfp_server.host)).greet() == Greeting("2.17.0", False)


def test_with_many_users_a_namespace_is_needed(kfp_server):
    kfp_server.multi_user = True

    with pytest.raises(UsageError, match="many users, and no namespace"):
        KfpService(Connection(kfp_host=kfp_server.host)).greet()
    service = KfpService(Connection(kfp_host=kfp_server.host, kfp_namespace="alice"))
    service.greet()

    assert service.namespace == "alice"


def test_what_does_not_answer_is_said_in_a_sentence(slept):
    with pytest.raises(ClusterError, match="does not answer at http://127.0.0.1:1: the connection"):
        KfpService(Connection(kfp_host="127.0.0.1:1")).greet()

    assert len(slept) == 4


def test_a_page_to_log_in_is_no_answer(kfp_server):
    kfp_server.faults["healthz"] = ["html"]

    with pytest.raises(ClusterError, match="a web page instead of data") as caught:
        KfpService(Connection(kfp_host=kfp_server.host)).greet()

    assert "KALELITE_KFP_TOKEN" in caught.value.hint


def test_token_and_cookies_are_sent(kfp_server):
    KfpService(
        Connection(kfp_host=kfp_server.host, kfp_token="t1", kfp_cookies="authservice_session=x")
    ).greet()

    assert kfp_server.headers[-1]["authorization"] == "Bearer t1"
    assert kfp_server.headers[-1]["Cookie"] == "authservice_session=x"


def test_a_token_that_has_expired_is_read_again(kfp_server, tmp_path):
    file = tmp_path / "token"
    file.write_text("old\n")
    kfp_server.token = "old"
    service = KfpService(Connection(kfp_host=kfp_server.host, kfp_token_file=str(file)))
    service.greet()
    kfp_server.token = "new"
    file.write_text("new\n")

    assert service.greet().version == "2.17.0"


def test_it_is_reached_by_the_kubeconfig(kfp_server, tmp_path, monkeypatch):
    kfp_server.token = "of-kubernetes"
    config = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
        "clusters": [{"name": "k", "cluster": {"server": kfp_server.host}}],
        "users": [{"name": "u", "user": {"token": "of-kubernetes"}}],
    }
    (tmp_path / "config").write_text(json.dumps(config))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))

    assert KfpService(Connection()).greet() == Greeting("2.17.0", False)


def test_a_wrong_token_is_said(kfp_server):
    kfp_server.token = "right"

    with pytest.raises(ClusterError, match="does not know who you are") as caught:
        KfpService(Connection(kfp_host=kfp_server.host, kfp_token="wrong")).greet()

    assert "KALELITE_KFP_TOKEN" in caught.value.hint


@pytest.mark.parametrize("fault", [429, 500, 502, 503, 504, "drop", "half"])
def test_what_only_reads_is_asked_again(kfp_server, service, slept, package, fault):
    run = start(service, package)
    kfp_server.faults["run"] = [fault, fault]

    assert service.run(run).state == "succeeded"
    assert slept == [0.5, 1.0]


def test_a_run_whose_answer_got_lost_is_not_started_twice(kfp_server, service, package):
    kfp_server.faults["start"] = ["lost"]

    run = start(service, package)

    assert list(kfp_server.runs) == [run]


def test_a_run_that_begins_while_ctrl_c_ends_the_command_is_ended(kfp_server, package, monkeypatch):
    waits = []

    def ctrl_c(seconds):
        waits.append(seconds)
        if len(waits) == 1:
            raise KeyboardInterrupt

    before = PatientRest.__init__
    monkeypatch.setattr(
        PatientRest, "__init__", lambda self, config: before(self, config, sleep=ctrl_c)
    )
    service = KfpService(Connection(kfp_host=kfp_server.host))
    kfp_server.faults |= {"start": ["lost"], "list_runs": [503]}

    with pytest.raises(KeyboardInterrupt):
        start(service, package)

    assert len(kfp_server.runs) == kfp_server.calls["terminate"] == 1


def test_a_run_that_was_not_started_is_started(kfp_server, service, package):
    kfp_server.faults["start"] = ["drop", 503]

    run = start(service, package)

    assert list(kfp_server.runs) == [run]


def test_what_the_api_refuses_is_not_asked_again(kfp_server, service, package):
    kfp_server.faults["start"] = [400]

    with pytest.raises(ClusterError, match="scripted 400"):
        start(service, package)
    assert kfp_server.calls["start"] == 1


def test_an_unchanged_pipeline_is_not_uploaded_again(kfp_server, service, package):
    first = service.upload("chain", "v1", package)
    again = service.upload("chain", "v1", package)
    other = service.upload("chain", "v2", package)

    assert (first.fresh, again.fresh, other.fresh) == (True, False, True)
    assert (first.version, first.pipeline) == (again.version, other.pipeline)
    assert kfp_server.calls["upload"] + kfp_server.calls["upload_version"] == 2


@pytest.mark.parametrize("fault", ["lost", "drop"])
def test_an_upload_whose_answer_got_lost(kfp_server, service, package, fault):
    service.upload("chain", "v0", package)
    kfp_server.faults["upload_version"] = [fault]
    try:
        found = service.upload("chain", "v1", package)
    except ClusterError:
        found = service.upload("chain", "v1", package)

    assert [v["display_name"] for v in kfp_server.versions.values()].count("v1") == 1
    assert found.version in kfp_server.versions


def test_a_pipeline_whose_first_version_cannot_be_renamed(kfp_server, service, package):
    kfp_server.faults["update_version"] = [404]

    assert service.upload("chain", "v1", package).version in kfp_server.versions


def test_a_run_that_has_ended_is_left_as_it_is(service, package):
    run = start(service, package)
    service.run(run)

    service.terminate(run)

    assert service.run(run).state == "succeeded"


def test_a_terminated_run_is_told_from_a_failed_one(kfp_server, service, package):
    from kfp_server import Frame

    kfp_server.script = [Frame("RUNNING")]
    run = start(service, package)
    service.terminate(run)
    states = [service.run(run) for _ in range(2)]

    assert [(state.state, state.cancelling) for state in states] == [
        ("running", True),
        ("cancelled", True),
    ]


def test_the_users_own_clients_are_used(kfp_server, monkeypatch, tmp_path):
    monkeypatch.setattr(kfp.Client, "_LOCAL_KFP_CONTEXT", str(tmp_path / "none"))
    with pytest.warns(FutureWarning):
        old = kfp.Client(host=kfp_server.host, existing_token="mine", namespace="alice")
    new = PipelinesClient(KubernetesBackendConfig(base_url=kfp_server.host, user_token="mine"))

    for client in (old, new):
        KfpService(Connection(), client).greet()
        assert kfp_server.headers[-1]["authorization"] == "Bearer mine"


def test_something_else_than_a_client_is_refused():
    with pytest.raises(UsageError, match="client= is a str"):
        KfpService(Connection(kfp_host="http://localhost:1"), "localhost:8888")
