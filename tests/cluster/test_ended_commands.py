"""Ctrl-C and kill -9 of the commands that make and remove volumes, as they are typed.

At each of their calls the same is done in `test_fault_proxy`.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time

import pytest
import yaml
from fault_proxy import FaultProxy
from in_pods import folder_of
from lab import ROOT, wait
from volume_operations import KEPT, WISHES, prepare

from kalelite.volumes.past_snapshots import list_snapshots
from kalelite.volumes.resources import CLAIMS


@pytest.fixture
def notebook_pod(lab):
    lab.claim("work")
    lab.pod("nb-0", claims={"/work": "work"}, pod={"nodeSelector": {"of": "none"}})


def started(lab, *words, kubeconfig="", **environ):
    """The command, as a process of its own."""
    environ |= {"KUBECONFIG": str(kubeconfig) or lab.kit("kubeconfig"), "PATH": "/usr/bin"}
    return subprocess.Popen(
        [sys.executable, "-m", "kalelite", *words, "--namespace", lab.namespace],
        env={**environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture
def interrupted(lab, tmp_path):
    """Give a command SIGINT at a call, before or after that is carried out: what it says then."""
    with FaultProxy(lab.kit.client(), lab.namespace) as proxy:
        names = {"cluster": {"server": proxy.host}, "context": {"cluster": "c", "user": "c"}}
        config = {f"{kind}s": [{"name": "c", kind: each}] for kind, each in names.items()}
        config |= {"current-context": "c", "users": [{"name": "c", "user": {}}]}
        path = tmp_path / "kubeconfig"
        path.write_text(yaml.safe_dump(config))

        def interrupted(call, after, *words):
            command = None

            def watch(at, done):
                if at == (call, 1) and done is after:
                    command.send_signal(signal.SIGINT)
                    time.sleep(0.1)

            proxy.reset(watch=watch)
            command = started(lab, *words, kubeconfig=path)
            text, _ = command.communicate(timeout=60)
            assert command.returncode == 130, text
            assert "interrupted" in text
            return text

        yield interrupted


def test_ctrl_c_in_snapshot_leaves_nothing(lab, notebook_pod):
    command = started(lab, "snapshot", "--pod", "nb-0", "--snapshot-class", "dir-never")
    wait("begun", lambda: command.poll() is not None or "snapshot work" in " ".join(lab.ours()))
    command.send_signal(signal.SIGINT)
    text, _ = command.communicate(timeout=60)

    assert command.returncode == 130, text
    assert "interrupted" in text
    wait("nothing left", lambda: lab.ours() == [])


@pytest.mark.parametrize(
    ("call", "after"), [("LIST volumesnapshots", False), ("DELETE volumesnapshots", True)]
)
def test_ctrl_c_in_clean_tells_the_command_that_removes_the_rest(
    lab, notebook_pod, interrupted, call, after
):
    prepare(lab.cluster, "r1", WISHES)

    text = interrupted(call, after, "clean", "--volumes", "--older-than", "1ms")

    told = shlex.split(text.partition("goes by ")[2])
    assert told[:4] == ["python", "-m", "kalelite", "clean"]
    done = lab.command(*told[3:])
    assert done.returncode == 0, done.stderr
    assert lab.ours() == []
    assert lab.phase("work") == "Bound"


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_ctrl_c_in_restore_leaves_no_claim_or_tells_what_removes_it(
    lab, notebook_pod, interrupted, after
):
    prepare(lab.cluster, "r1", KEPT)
    (kept,) = list_snapshots(lab.cluster)

    words = ("snapshots", "restore", kept.id, "--claim", "back")
    text = interrupted("POST persistentvolumeclaims", after, *words)

    if "kubectl " in text:
        wait("carried out", lambda: len(lab.cluster.list(CLAIMS)) == 2)
        lab.kit(*shlex.split(text[text.index("kubectl ") :]))
    wait(
        "no claim",
        lambda: [each["metadata"]["name"] for each in lab.cluster.list(CLAIMS)] == ["work"],
    )
    assert [each.id for each in list_snapshots(lab.cluster)] == [kept.id]


def test_what_a_killed_snapshot_leaves_goes_with_the_next_and_with_clean(lab, tmp_path):
    """On the volume a mark, in the cluster a snapshot and its owner."""
    lab.claim("work")
    volume = tmp_path / "volume"
    volume.symlink_to(folder_of(lab, "work"))  # so that this process is in the notebook
    lab.pod("nb-0", claims={str(volume): "work"}, pod={"nodeSelector": {"of": "none"}})
    here = {"HOSTNAME": "nb-0", "NB_PREFIX": f"/notebook/{lab.namespace}/nb"}
    marks = volume / ".kalelite-snapshots"

    command = started(lab, "snapshot", "--snapshot-class", "dir-slow", **here)
    wait("begun", lambda: command.poll() is not None or "snapshot work" in " ".join(lab.ours()))
    os.kill(command.pid, signal.SIGKILL)
    command.communicate()
    assert len(list(marks.iterdir())) == 1
    assert len(lab.ours()) == 2

    after = started(lab, "snapshot", "--snapshot-class", "dir", **here)
    text, _ = after.communicate(timeout=60)
    assert after.returncode == 0, text
    assert not marks.exists(), "the volume is as it was"
    done = lab.command("clean", "--volumes", "--older-than", "1ms", "--namespace", lab.namespace)
    assert done.returncode == 0, done.stderr
    assert lab.ours() == []
    assert lab.phase("work") == "Bound"
