"""``--kfp --recurring`` and ``kalelite recurring``, against a small API of Kubeflow Pipelines."""

from __future__ import annotations

import json

import pytest
from kfp_server import Frame
from test_kubeflow_run import SCRIPT, Shell


@pytest.fixture
def shell(tmp_path, kfp_server, monkeypatch, capsys):
    return Shell(tmp_path, kfp_server.host, monkeypatch, capsys)


def begin(shell, *words):
    done = shell("chain.py", "--kfp", "--recurring", "0 6 * * mon-fri", *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_pipeline_recurs(shell, kfp_server):
    shown = begin(shell, "-p", "n=5", "--experiment", "nightly")

    (made,) = kfp_server.recurring.values()
    assert made["display_name"] == "chain 0 6 * * mon-fri"
    assert made["trigger"] == {"cron_schedule": {"cron": "0 0 6 * * 1,2,3,4,5"}}
    assert made["runtime_config"]["parameters"] == {"n": 5}
    assert made["max_concurrency"] == "1"
    assert made["no_catchup"] is True
    (experiment,) = kfp_server.experiments.values()
    assert (experiment["display_name"], made["experiment_id"]) == (
        "nightly",
        experiment["experiment_id"],
    )
    assert f"{kfp_server.host}/#/recurringrun/details/{made['recurring_run_id']}" in shown
    assert shown.count("06:00 UTC") == 5
    assert not kfp_server.runs


def test_one_user_has_no_profile_that_it_could_belong_to(shell, kfp_server):
    begin(shell, "--kfp-namespace", "kubeflow")

    (made,) = kfp_server.recurring.values()
    assert "namespace" not in made


def test_the_same_code_is_the_same_version(shell, kfp_server):
    begin(shell)
    begin(shell, "-p", "n=7")
    versions = [one["pipeline_version_reference"] for one in kfp_server.recurring.values()]
    assert versions[0] == versions[1]

    (shell.folder / "chain.py").write_text(SCRIPT.replace("return n", "return n + 1"))
    begin(shell)

    last = list(kfp_server.recurring.values())[-1]["pipeline_version_reference"]
    assert last["pipeline_id"] == versions[0]["pipeline_id"]
    assert last["pipeline_version_id"] != versions[0]["pipeline_version_id"]


def test_they_are_listed_enabled_disabled_and_deleted(shell, kfp_server):
    for name in ("one", "two", "three"):
        begin(shell, "--run-name", name)
    kfp_server.recurring["other"] = {**next(iter(kfp_server.recurring.values()))}
    kfp_server.recurring["other"] |= {"recurring_run_id": "other", "description": "not ours"}
    ids = {one["display_name"]: id for id, one in kfp_server.recurring.items() if id != "other"}

    assert shell("recurring", "disable", "two").returncode == 0
    listed = shell("recurring", "--output", "json").stdout.splitlines()
    found = {one["name"]: one for one in map(json.loads, listed)}
    assert list(found) == ["three", "two", "one"]
    assert [one["enabled"] for one in found.values()] == [True, False, True]
    assert found["one"]["cron"] == "0 6 * * 1,2,3,4,5"
    assert (len(found["one"]["next"]), found["two"]["next"]) == (5, [])

    shell("recurring", "enable", ids["two"][:8])
    assert shell("recurring").stdout.count("enabled") == 3
    assert shell("recurring", "delete", "one", "three").returncode == 0
    assert set(kfp_server.recurring) == {ids["two"], "other"}
    unknown = shell("recurring", "delete", "other")
    assert unknown.returncode == 2
    assert "nothing that recurs has the id or name 'other'" in unknown.stderr


def test_one_whose_run_goes_on_is_disabled_and_not_deleted(shell, kfp_server):
    begin(shell)
    shell("chain.py", "--kfp", "--no-wait", "--run-name", "first")
    (id,) = kfp_server.recurring
    (run,) = kfp_server.runs.values()
    run.body["recurring_run_id"] = id
    run.frames = [Frame("RUNNING")]

    done = shell("recurring", "delete", id)

    assert done.returncode == 2
    assert "its run first goes on, and would be lost with it" in done.stderr
    assert kfp_server.recurring[id]["status"] == "DISABLED"
    run.frames = [Frame("SUCCEEDED")]
    assert shell("recurring", "delete", id).returncode == 0
    assert not kfp_server.recurring


def test_an_answer_that_is_lost_starts_it_once(shell, kfp_server):
    kfp_server.faults["create_recurring"] = ["lost"] * 9

    begin(shell)

    assert len(kfp_server.recurring) == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--kfp", "--recurring", "0 6 * *"], "it has 4 fields, not five"),
        (["--recurring", "@daily"], "--recurring is about a run that is submitted"),
        (["--kfp", "--recurring", "@daily", "--no-wait"], "--recurring starts no run now"),
        (["--kfp", "--recurring", "@daily", "--dry-run"], "--recurring is about a run"),
        (["--kfp", "--fresh-snapshots"], "--fresh-snapshots goes with --recurring"),
    ],
)
def test_what_cannot_be_meant(shell, kfp_server, words, message):
    done = shell("chain.py", *words)

    assert done.returncode == 2
    assert message in done.stderr
    assert not kfp_server.calls


def test_fresh_snapshots_need_a_notebook(shell, kfp_server):
    done = shell("chain.py", "--kfp", "--recurring", "@daily", "--fresh-snapshots")

    assert done.returncode == 2
    assert "no volumes of a notebook here" in done.stderr
    assert not kfp_server.recurring
