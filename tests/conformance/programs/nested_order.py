"""A nested pipeline that waits as a whole, and whose own steps wait for each other in call order."""

from kalelite import Elif, Else, If, ParallelFor, pipeline, step


@step
def note(journal, word):
    with open(f"{journal}/journal.txt", "a") as file:
        file.write(f"{word}\n")


@step
def size() -> int:
    return 3


@pipeline(order="calls")
def letters(journal: str, limit: int = 2):
    note(journal, "a")
    with If(size() > limit):
        note(journal, "b")
        note(journal, "c")
    with Elif(size() > 1):
        note(journal, "never")
    with Else():
        note(journal, "never")
    with ParallelFor(["d"]) as word:
        note(journal, word)
    note(journal, "e")


@pipeline
def main(journal: str = ""):
    first = note(journal, "first")
    middle = letters(journal, after=first)
    last = letters.after(middle)(journal, 5)
    note(journal, "last", after=last)


JOURNAL = ["first", "a", "b", "c", "d", "e", "a", "never", "d", "e", "last"]
