"""A step that fails twice and then works."""

from kalelite import pipeline, step


@step(retries=3)
def flaky(journal):
    with open(f"{journal}/journal.txt", "a") as file:
        file.write("try\n")
    with open(f"{journal}/journal.txt") as file:
        tries = len(file.readlines())
    if tries < 3:
        raise OSError(f"try {tries}")
    return tries


@pipeline
def main(journal: str = ""):
    return flaky(journal)


EXPECTED = 3
JOURNAL = ["try", "try", "try"]
ATTEMPTS = {"flaky": 3}
