"""The handler runs when the body has succeeded."""

from kalelite import ExitHandler, FinalStatus, pipeline, step


@step
def work(journal):
    with open(f"{journal}/journal.txt", "a") as file:
        file.write("work\n")


@step
def clean(journal, status: FinalStatus):
    with open(f"{journal}/journal.txt", "a") as file:
        file.write(f"clean:{status.state}:{status.failed_task}:{status.message}\n")


@pipeline
def main(journal: str = ""):
    with ExitHandler(clean(journal)):
        work(journal)


JOURNAL = ["work", "clean:SUCCEEDED::"]
