"""The handler is told what failed and why, also of a step whose process was killed."""

import os
import signal

from kalelite import ExitHandler, FinalStatus, pipeline, step


@step
def gone():
    os.kill(os.getpid(), signal.SIGKILL)


@step
def clean(journal, status: FinalStatus):
    with open(f"{journal}/journal.txt", "a") as file:
        killed = "killed" in status.message
        file.write(f"{status.state}:{status.failed_task}:{killed}\n")


@pipeline
def main(journal: str = ""):
    with ExitHandler(clean(journal)):
        gone()


STATE = "failed"
JOURNAL = ["FAILED:gone:True"]
