"""Options everywhere: of the pipeline, of the step, of the call, and what is nearest wins."""

import os
import time

from kalelite import Retries, Volume, pipeline, step


@step(
    env={"WHO": "step", "STEP": "1"},
    cpu=1,
    memory="500Mi",
    timeout="5m",
    labels={"team": "research"},
    display_name="Show the settings",
)
def show(*_, after_all: bool = False):
    names = ("WHO", "STEP", "CALL", "ALL")
    return {name: os.environ[name] for name in names if name in os.environ}


@step(retries=Retries(3, wait="10ms", factor=2, only=(ConnectionError,)))
def flaky(journal: str):
    with open(f"{journal}/journal.txt", "a") as file:
        file.write("try\n")
    with open(f"{journal}/journal.txt") as file:
        if len(file.readlines()) < 3:
            raise ConnectionResetError("try again")
    return "connected"


@step(memory="300Mi")
def hungry():
    return len(bytearray(2 << 30))


@step(timeout=0.5)
def slow():
    time.sleep(60)


@step(ignore_failures=True)
def note(what="it failed"):
    return what


@pipeline(
    defaults={
        "env": {"ALL": "1", "WHO": "pipeline"},
        "volumes": [Volume("claim", "/data/kalelite-example")],
        "node_selector": {"disk": "ssd"},
        "annotations": {"example.com/owner": "me"},
    }
)
def main(journal: str = ""):
    plain = show()
    nearer = show.options(env={"WHO": "call", "CALL": "1"}, cpu="500m", name="nearer")(plain)
    connected = flaky(journal)
    first = note(hungry())
    second = note(slow())
    return plain, nearer


STATE = "failed"
VALUES = {
    "show": {"WHO": "step", "STEP": "1", "ALL": "1"},
    "nearer": {"WHO": "call", "STEP": "1", "CALL": "1", "ALL": "1"},
    "flaky": "connected",
    "note": "it failed",
    "note-2": "it failed",
}
FAILS = {"hungry": ("MemoryError", "300.0 MiB"), "slow": ("TimeoutError", "")}
NOTES = ["These options have no effect on this machine: node_selector, labels, annotations."]
JOURNAL = ["try", "try", "try"]
