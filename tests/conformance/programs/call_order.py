"""Every step waits for the one called before it."""

from kalelite import ParallelFor, pipeline, step


@step
def note(journal, word):
    with open(f"{journal}/journal.txt", "a") as file:
        file.write(f"{word}\n")


@pipeline(order="calls")
def main(journal: str = ""):
    note(journal, "z")
    note(journal, "y")
    with ParallelFor(["x"], parallelism=1) as word:
        note(journal, word)
        note(journal, "w")
    note(journal, "v")


JOURNAL = ["z", "y", "x", "w", "v"]
