"""A step whose process is killed, then ends by itself, then hangs, and works at last."""

import os
import signal
import time

from kalelite import Retries, pipeline, step


@step(retries=Retries(3, wait=0.1), timeout=30)
def rough(journal):
    with open(f"{journal}/journal.txt", "a") as file:
        file.write("try\n")
    with open(f"{journal}/journal.txt") as file:
        tries = len(file.readlines())
    if tries == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    if tries == 2:
        os._exit(0)
    return tries


@step(retries=Retries(3, only=["OSError"]))
def picky(tries):
    raise ValueError(f"after {tries}")


@step(timeout=1, retries=1)
def slow():
    time.sleep(60)


@pipeline
def main(journal: str = ""):
    picky(rough(journal))
    slow()


STATE = "failed"
ATTEMPTS = {"rough": 3, "picky": 1, "slow": 2}
FAILS = {"picky": ("ValueError", "after 3"), "slow": ("TimeoutError", "its timeout of 1 s")}
JOURNAL = ["try", "try", "try"]
