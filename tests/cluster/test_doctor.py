"""What a namespace may do, and that the roles which `kalelite doctor` prints are what is needed."""

from __future__ import annotations

import copy
import json
import time

import pytest
import yaml
from lab import IMAGE, Resource, wait

from kalelite.backends.kubeflow.bring.reader_pod import reader_pod
from kalelite.backends.kubeflow.submit.run_owner import give_to_workflow
from kalelite.backends.kubeflow.volume_pod import RunVolumeAt
from kalelite.errors import ClusterError
from kalelite.volumes.cluster_errors import ForbiddenError
from kalelite.volumes.discover import notebook
from kalelite.volumes.leftovers import find_leftovers, remove_leftovers
from kalelite.volumes.owner import Owner
from kalelite.volumes.past_snapshots import read_snapshots
from kalelite.volumes.prepare_volumes import prepare_volumes
from kalelite.volumes.resources import (
    CONFIG_MAPS,
    EVENTS,
    LIMIT_RANGES,
    NODES,
    OURS,
    POD_LOGS,
    POD_PROXIES,
    PODS,
    QUOTAS,
    SNAPSHOT_CLASSES,
    STORAGE_CLASSES,
    WORKFLOWS,
)
from kalelite.volumes.rights import ask, roles, user_of
from kalelite.volumes.storage_facts import gather
from kalelite.volumes.wishes import Wishes

RBAC = "apis/rbac.authorization.k8s.io/v1"
KINDS = {
    kind: Resource(RBAC, f"{kind.lower()}s", kind, kind, namespaced=not kind.startswith("Cluster"))
    for kind in ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")
}


@pytest.fixture
def grant(lab):
    """Makes roles and bindings; those of the whole cluster are removed at the end."""
    made = []

    def create(manifests):
        for each in manifests:
            kind = KINDS[each["kind"]]
            made.append((kind, each["metadata"]["name"]))
            lab.cluster.create(kind, each)

    yield create
    for kind, name in made:
        if not kind.namespaced:
            lab.cluster.delete(kind, name)


@pytest.fixture
def notebook_pod(lab):
    lab.claim("work")
    lab.pod("nb-0", claims={"/work": "work"})


def everything(cluster, run):
    """All that needs rights, from the notebook to the end."""
    book = notebook(cluster, "nb-0")
    notes = []
    wishes = Wishes(snapshot_class="dir")
    if not prepare_volumes(cluster, run, book, wishes, note=notes.append).made:
        raise ClusterError("; ".join(notes))
    read_snapshots(cluster, run)
    found = [each for each in find_leftovers(cluster, time.time() + 5, 1) if not each.kept]
    remove_leftovers(cluster, found, deadline=60)


def lost_with(cluster):
    """What is lost with each right that one can do without."""

    def forbidden(call):
        with pytest.raises(ForbiddenError):
            call()
        return True

    return {
        (EVENTS, "list"): lambda: forbidden(lambda: cluster.list(EVENTS)),
        (QUOTAS, "list"): lambda: gather(cluster).quotas == (),
        (LIMIT_RANGES, "list"): lambda: gather(cluster).limit_ranges == (),
        (STORAGE_CLASSES, "list"): lambda: gather(cluster).storage_classes is None,
        (SNAPSHOT_CLASSES, "list"): lambda: gather(cluster).snapshot_classes is None,
        (NODES, "list"): lambda: gather(cluster).nodes is None,
        (WORKFLOWS, "list"): lambda: forbidden(lambda: cluster.list(WORKFLOWS)),
        (CONFIG_MAPS, "patch"): lambda: forbidden(
            lambda: cluster.patch(CONFIG_MAPS, "kube-root-ca.crt", {})
        ),
        (POD_LOGS, "get"): lambda: forbidden(lambda: cluster.log("nb-0")),
        (POD_PROXIES, "get"): lambda: forbidden(lambda: cluster.through("nb-0", 1, "")),
        (PODS, "create"): lambda: forbidden(lambda: cluster.create(PODS, {"metadata": {}})),
    }


def without(manifests, resource, verb):
    """The roles without one verb."""
    left = copy.deepcopy(manifests)
    for each in left:
        for rule in each.get("rules", ()):
            if (rule["apiGroups"], rule["resources"]) == ([resource.group], [resource.plural]):
                rule["verbs"].remove(verb)
        if "rules" in each:
            each["rules"] = [rule for rule in each["rules"] if rule["verbs"]]
    return left


def named(manifests, namespace, name):
    """The roles under another name and for another user."""
    text = json.dumps(manifests).replace("somebody", f"{name}-{namespace}")
    own = {each["metadata"]["name"] for each in manifests}
    for each in own:
        text = text.replace(each, f"{each}-{name}-{namespace}")
    return json.loads(text)


@pytest.mark.timeout(300)
def test_the_printed_roles_are_enough_and_not_one_verb_more(lab, grant, notebook_pod, tmp_path):
    lab.pod("old", "true", metadata={"labels": {**OURS, "kalelite.dev/run": "whole"}})
    lab.claim("values")
    for name, kind, spec in (("q", QUOTAS, {"hard": {"pods": "50"}}), ("l", LIMIT_RANGES, LIMIT)):
        lab.cluster.create(kind, {"metadata": {"name": name}, "spec": spec})
    nobody = lab.cluster_of(f"somebody-{lab.namespace}")
    answered = ask(nobody)
    manifests = roles(answered, lab.namespace, "somebody")
    rights = dict.fromkeys(right for each in answered for right in each.missing)
    needed = {right for each in answered if each.use.needed for right in each.missing}
    grant(named(manifests, lab.namespace, "whole"))
    for number, right in enumerate(rights):
        grant(named(without(manifests, *right), lab.namespace, f"u{number}"))
    whole = lab.cluster_of(f"whole-{lab.namespace}")
    wait("roles in force", lambda: not any(each.missing for each in ask(whole)))

    lab.finished("old")
    for number, (resource, verb) in enumerate(rights):
        cluster = lab.cluster_of(f"u{number}-{lab.namespace}")
        other = next(each for each in rights if each != (resource, verb))
        wait("role in force", lambda cluster=cluster, other=other: cluster.may(other[1], other[0]))
        if (resource, verb) in needed:
            with pytest.raises(ClusterError) as caught:
                everything(cluster, f"u{number}")
            text = str(caught.value)
            assert f"may not {verb} {resource.full_name}" in text or (
                f'cannot {verb} resource "{resource.plural}"' in text
            ), text
        else:
            assert lost_with(cluster)[resource, verb](), (resource, verb)

    everything(whole, "whole")
    assert not give_to_workflow(whole, OWNER, "no such run")
    with reader_pod(whole, "r1", RunVolumeAt("values", "/values/.kalelite", IMAGE)) as reader:
        assert not reader.copy("nothing", tmp_path / "near")


LIMIT = {"limits": [{"type": "PersistentVolumeClaim", "max": {"storage": "1Gi"}}]}
OWNER = Owner("absent", "", "")

READ = ["get", "list", "watch"]
WRITE = ["create", "delete", "deletecollection", "patch", "update"]
KUBEFLOW_EDIT = [
    ([""], ["configmaps", "persistentvolumeclaims", "pods", "services"], READ + WRITE),
    ([""], ["secrets", "serviceaccounts"], READ + WRITE),
    ([""], ["pods/attach", "pods/exec", "pods/portforward", "pods/proxy"], READ + WRITE),
    ([""], ["events", "limitranges", "pods/log", "pods/status", "resourcequotas"], READ),
    ([""], ["namespaces"], READ),
    (["apps"], ["deployments", "statefulsets", "replicasets"], READ + WRITE),
    (["kubeflow.org"], ["notebooks", "scheduledworkflows"], ["*"]),
    (["argoproj.io"], ["cronworkflows", "workflows", "workflowtemplates"], ["*"]),
    (["pipelines.kubeflow.org"], ["pipelines", "pipelines/versions"], READ + WRITE),
]
"""What the default-editor of a profile may do in Kubeflow, as it is installed: its ClusterRoles
kubeflow-kubernetes-edit and -view, and those of its pipelines and notebooks, in one."""


def test_the_editor_of_a_stock_kubeflow_lacks_snapshots_only(lab, grant, notebook_pod):
    user = f"system:serviceaccount:{lab.namespace}:default-editor"
    lab.grant(user, *KUBEFLOW_EDIT)
    editor = lab.cluster_of(user)
    wait("role in force", lambda: editor.may("get", POD_PROXIES))

    answered = ask(editor)
    assert user_of(editor) == user
    manifests = roles(answered, lab.namespace, user)
    role, binding, cluster_role, _ = manifests
    assert [(rule["resources"], rule["verbs"]) for rule in role["rules"]] == [
        (["volumesnapshots"], ["create", "delete", "get", "list"])
    ]
    assert [rule["resources"][0] for rule in cluster_role["rules"]] == [
        "nodes",
        "storageclasses",
        "volumesnapshotclasses",
    ]
    account = {"kind": "ServiceAccount", "name": "default-editor", "namespace": lab.namespace}
    assert binding["subjects"] == [account]
    with pytest.raises(ClusterError, match="may not create, get, list, delete volumesnapshots"):
        everything(editor, "before")

    grant(manifests)
    wait("roles in force", lambda: not any(each.missing for each in ask(editor)))
    everything(editor, "after")


def test_what_the_command_prints_makes_all_well(lab, grant, notebook_pod, tmp_path):
    words = ("doctor", "--namespace", lab.namespace)
    before = lab.command(*words, user="bob")
    assert before.returncode == 5, before.stderr
    assert "✗  find the volumes of a notebook" in before.stdout
    assert f"namespace {lab.namespace} at https://127.0.0.1:6443, as bob" in before.stdout

    grant(yaml.safe_load_all(lab.command(*words, "--role", user="bob").stdout))
    bob = lab.cluster_as("bob")
    wait("roles in force", lambda: not any(each.missing for each in ask(bob)))
    after = lab.command(*words, "--pod", "nb-0", "--output", "json", user="bob")
    answer = json.loads(after.stdout)
    assert (after.returncode, answer["well"], answer["roles"]) == (0, True, [])
    assert answer["facts"]["nodes"] == 1
    assert "dir.csi.kalelite.test" in lab.command(*words, user="bob").stdout


def test_what_stands_in_the_way_of_a_notebook_is_told(lab):
    lab.claim("late", "dir-late")
    lab.pod("nb-0", "true", {"/late": "late"}, pod={"nodeSelector": {"of": "none"}})

    done = lab.command(
        "doctor", "--namespace", lab.namespace, "--pod", "nb-0", "--kfp-host", "http://127.0.0.1:9"
    )

    assert done.returncode == 5
    assert "✗ claim late is not bound but Pending" in done.stdout
    assert "127.0.0.1:9" in done.stdout
