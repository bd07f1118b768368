"""A gigabyte from one step to the next on a real Kubeflow Pipelines, in one run beside another.

    KALELITE_KFP_HOST=http://127.0.0.1:8888 KALELITE_IMAGE=IMAGE python benchmarks/kfp_transfer.py

Through kalelite's marshal volume, and as an artifact through KFP's object store, by container
components written by hand. The image needs numpy, and the kubeconfig has to lead to the cluster.
Times are those of the main container of each pod. Of the two that make and use the array, those of
two are taken off that do the same work and hand nothing on.
"""

import os
import sys
from datetime import datetime

from kfp import Client, dsl

from kalelite import pipeline, step
from kalelite.backends.kubeflow.follow.run_nodes import run_nodes
from kalelite.backends.kubeflow.submit.connection import Connection
from kalelite.backends.kubeflow.submit.kfp_service import KfpService
from kalelite.volumes.cluster import Cluster
from kalelite.volumes.resources import PODS

HOST = os.environ["KALELITE_KFP_HOST"]
IMAGE = os.environ["KALELITE_IMAGE"]
NAMESPACE = os.environ.get("KALELITE_KFP_NAMESPACE", "kubeflow")
COUNT = int(sys.argv[1]) if sys.argv[1:] else 125_000_000
TASKS = ("make", "use", "alone", "nothing")


@step
def make(count):
    import numpy as np

    return np.ones(count)


@step
def use(array):
    print(array.sum())


@step
def alone(count):
    import numpy as np

    print(np.ones(count).sum())


@step
def nothing():
    return None


@pipeline
def through_volume(count: int):
    used = use(make(count))
    nothing(after=alone(count, after=used))


def container(code, *words):
    return dsl.ContainerSpec(image=IMAGE, command=["python3", "-c", code], args=list(words))


@dsl.container_component
def kfp_make(count: int, array: dsl.Output[dsl.Artifact]):
    code = (
        "import os, sys, numpy as np; count, path = int(sys.argv[1]), sys.argv[2]; "
        "os.makedirs(os.path.dirname(path), exist_ok=True); np.save(open(path, 'wb'), np.ones(count))"
    )
    return container(code, count, array.path)


@dsl.container_component
def kfp_use(array: dsl.Input[dsl.Artifact]):
    return container(
        "import sys,numpy as np;print(np.load(open(sys.argv[1],'rb')).sum())", array.path
    )


@dsl.container_component
def kfp_alone(count: int):
    return container("import sys,numpy as np;print(np.ones(int(sys.argv[1])).sum())", count)


@dsl.container_component
def kfp_nothing():
    return container("pass")


@dsl.pipeline(name="through-store")
def through_store(count: int):
    made = kfp_make(count=count).set_display_name("make")
    used = kfp_use(array=made.outputs["array"])
    single = kfp_alone(count=count).after(used)
    kfp_nothing().after(single)


def seconds(run, prefix):
    """The seconds of the main container of each task's pod."""
    service = KfpService(Connection(kfp_host=HOST, kfp_namespace=NAMESPACE), None)
    cluster = Cluster.open(namespace=NAMESPACE, context=None)
    found = {}
    for node in run_nodes(service.manifest(run)).nodes:
        names = [part.partition("(")[0] for part in node.name.split(".")]
        task = next((task for task in TASKS if f"{prefix}{task}" in names), None)
        if not node.pod or task is None:
            continue
        pod = cluster.get(PODS, node.pod)
        states = {each["name"]: each["state"] for each in pod["status"]["containerStatuses"]}
        ended = states["main"]["terminated"]
        begun, end = (datetime.fromisoformat(ended[key]) for key in ("startedAt", "finishedAt"))
        found[task] = (end - begun).total_seconds()
    return found


def main():
    results = {}
    ours = through_volume.submit(count=COUNT, settings={"image": IMAGE}).wait()
    results["marshal volume"] = seconds(ours.record().data["kfp"]["run"], "")
    client = Client(host=HOST, namespace=NAMESPACE)
    theirs = client.create_run_from_pipeline_func(
        through_store, arguments={"count": COUNT}, enable_caching=False
    )
    theirs.wait_for_run_completion()
    results["object store"] = seconds(theirs.run_id, "kfp-")
    moved = {}
    print(f"{8 * COUNT / 1e9:g} GB       {'  '.join(f'{task:>8}' for task in TASKS)}  handed on, s")
    for name, took in results.items():
        moved[name] = took["make"] + took["use"] - took["alone"] - took["nothing"]
        row = "  ".join(f"{took[task]:8.0f}" for task in TASKS)
        print(f"{name:14} {row}  {moved[name]:.0f}")
    print(
        f"object store / marshal volume: {moved['object store'] / max(moved['marshal volume'], 1):.1f}"
    )


main()
