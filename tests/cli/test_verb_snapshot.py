"""``kalelite snapshot``, where there is no cluster; tests/cluster has it where there is one."""

from __future__ import annotations


def test_without_a_cluster_it_is_one_sentence(shell):
    done = shell("snapshot", KUBECONFIG=str(shell.folder / "absent"))

    assert done.returncode == 5, done.stderr
    assert done.stderr.startswith("error: no cluster is configured")
    assert "KUBECONFIG" in done.stderr


def test_a_time_limit_that_is_none_is_refused(shell):
    done = shell("snapshot", "--snapshot-timeout", "soon")

    assert done.returncode == 2
    assert "snapshot_timeout='soon' is not a duration" in done.stderr
