"""What pods cost on a real Kubeflow Pipelines: by hand, a pod for each step, few pods.

    KALELITE_KFP_HOST=http://localhost:8888 KALELITE_IMAGE=python:3.11 \
        python benchmarks/kfp_pods.py [chain] [loop]

``chain``: five trivial steps in a row, written by hand as container components, with pods="each",
and with pods="few". ``loop``: 200 items with pods="few"; a pod for each would take hours on a small
cluster, so LOOP_EACH items of those are run and scaled up by hand. Times are KFP's own, from the
creation of a run to its end; each program runs alone, one after the other.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

from kalelite import Collected, ParallelFor, pipeline, step

LOOP, LOOP_EACH = 200, 8
IMAGE = os.environ.get("KALELITE_IMAGE") or "python:{}.{}".format(*sys.version_info)


@step
def one(x: int) -> int:
    return x + 1


@step
def total(values: list) -> int:
    return sum(values)


@pipeline
def chain(x: int = 0):
    for _ in range(5):
        x = one(x)
    return x


@pipeline
def loop():
    with ParallelFor(range(LOOP)) as item:
        y = one(item)
    return total(Collected(y))


@pipeline
def short_loop():
    with ParallelFor(range(LOOP_EACH)) as item:
        y = one(item)
    return total(Collected(y))


def seconds(client, run: str) -> float:
    """How long a run took, once it has ended."""
    while True:
        found = client.get_run(run)
        if found.state in {"SUCCEEDED", "FAILED"}:
            assert found.state == "SUCCEEDED", f"run {run} failed"
            return (found.finished_at - found.created_at).total_seconds()
        time.sleep(3)


def by_hand_package(path: str) -> None:
    """Compile a chain of five container components, as kfp's documentation writes them."""
    from kfp import compiler, dsl

    @dsl.container_component
    def by_hand(x: int, y: dsl.OutputPath(int)):
        code = (
            "import os,sys;os.makedirs(os.path.dirname(sys.argv[2]),exist_ok=True);"
            "open(sys.argv[2],'w').write(str(int(sys.argv[1])+1))"
        )
        return dsl.ContainerSpec(image=IMAGE, command=["python3", "-c", code], args=[x, y])

    @dsl.pipeline(name="by-hand")
    def hand():
        task = by_hand(x=0)
        task.set_caching_options(False)
        for _ in range(4):
            task = by_hand(x=task.outputs["y"])
            task.set_caching_options(False)

    compiler.Compiler().compile(hand, path)


def run_by_hand(client) -> float:
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "hand.yaml")
        by_hand_package(path)
        started = client.create_run_from_pipeline_package(path, run_name="by-hand")
        return seconds(client, started.run_id)


def run_ours(client, program, pods: str) -> float:
    with tempfile.TemporaryDirectory() as home:
        run = program.submit(settings={"pods": pods, "home": home, "image": IMAGE})
        return seconds(client, run.record().data["kfp"]["run"])


def main(wanted: list[str]) -> None:
    from kfp import Client

    client = Client(host=os.environ["KALELITE_KFP_HOST"])
    if "chain" in wanted:
        hand_time = run_by_hand(client)
        print(f"chain of 5, by hand: {hand_time:.0f} s", flush=True)
        for pods in ("few", "each"):
            took = run_ours(client, chain, pods)
            print(f"chain of 5, pods={pods}: {took:.0f} s, {took / hand_time:.2f} x", flush=True)
    if "loop" in wanted:
        few = run_ours(client, loop, "few")
        print(f"{LOOP} items, pods=few: {few:.0f} s", flush=True)
        each = run_ours(client, short_loop, "each")
        whole = each * LOOP / LOOP_EACH
        print(f"{LOOP_EACH} items, pods=each: {each:.0f} s; {LOOP} alike: {whole:.0f} s")
        print(f"pods=few: {few / whole:.3f} x of that", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:] or ["chain", "loop"])
