"""The handler runs when the body has failed, and knows what failed and why."""

from kalelite import ExitHandler, FinalStatus, pipeline, step


@step
def prepare():
    return 0


@step
def work(n):
    return 1 / n


@step
def never(n):
    return n


@step
def clean(journal, status: FinalStatus):
    with open(f"{journal}/journal.txt", "a") as file:
        message = status.message.replace(" ", "_")
        file.write(f"clean:{status.state}:{status.failed_task}:{message}\n")


@pipeline
def main(journal: str = ""):
    with ExitHandler(clean(journal)):
        never(work(prepare()))


STATE = "failed"
FAILS = {"work": ("ZeroDivisionError", "division by zero")}
RAN = {"prepare": 1, "work": 0, "never": 0, "clean": 1}
JOURNAL = ["clean:FAILED:work:division_by_zero"]
