"""A step that runs although what it waits for has failed."""

from kalelite import pipeline, step


@step
def bad():
    raise ValueError("bad")


@step
def good():
    return 2


@step(ignore_failures=True)
def report(journal, good, bad="nothing"):
    with open(f"{journal}/journal.txt", "a") as file:
        file.write(f"good={good}:bad={bad}\n")


@pipeline
def main(journal: str = ""):
    report(journal, good(), bad=bad())


STATE = "failed"
RAN = {"bad": 0, "good": 1, "report": 1}
JOURNAL = ["good=2:bad=nothing"]
