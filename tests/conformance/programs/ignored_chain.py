"""A step after one that ignores failures runs too, and one that does not is not run."""

from kalelite import pipeline, step


@step
def bad():
    raise ValueError("bad")


@step
def between(x):
    return x


@step(ignore_failures=True)
def report(x="nothing"):
    return x


@step
def after(journal, x):
    with open(f"{journal}/journal.txt", "a") as file:
        file.write(f"after-{x}\n")


@pipeline
def main(journal: str = ""):
    after(journal, report(between(bad())))


STATE = "failed"
FAILS = {"bad": ("ValueError", "bad")}
RAN = {"between": 0, "report": 1, "after": 1}
JOURNAL = ["after-nothing"]
