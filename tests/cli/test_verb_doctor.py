"""``kalelite doctor`` and ``clean --volumes``, where there is no cluster; tests/cluster has the rest."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("words", [["doctor"], ["doctor", "--role"], ["clean", "--volumes"]])
def test_without_a_cluster_it_is_one_sentence(shell, words):
    done = shell(*words, KUBECONFIG=str(shell.folder / "absent"))

    assert done.returncode == 5, done.stderr
    assert done.stderr.startswith("error: no cluster is configured")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "clean needs to know what to free"),
        (["--store", "--namespace", "team"], "--namespace goes with --volumes"),
        (["--store", "--volumes", "--dry-run"], "--dry-run shows volumes only"),
        (["--volumes", "--older-than", "old"], "--older-than='old' is not a duration"),
    ],
)
def test_what_clean_is_not_given_is_told(shell, words, message):
    done = shell("clean", *words)

    assert (done.returncode, message in done.stderr) == (2, True), done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["restore", "x", "--claim", "a", "--to", "b"], "restore takes a snapshot and a folder"),
        (["restore", "x", "--claim", "a"], "a claim is made in a cluster"),
        (["list", "--claim", "a"], "--claim goes with restore"),
    ],
)
def test_what_snapshots_is_not_given_is_told(shell, words, message):
    done = shell("snapshots", *words)

    assert (done.returncode, message in done.stderr) == (2, True), done.stderr


def test_a_snapshot_to_start_from_is_for_kubeflow(shell):
    shell.write("s.py", "")

    done = shell("s.py", "--snapshot", "r1")

    assert done.returncode == 2
    assert "--snapshot is about a run that is submitted: it goes with --kfp" in done.stderr
