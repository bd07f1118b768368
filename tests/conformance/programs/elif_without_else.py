"""What comes after an Elif stands beside it, also in call order with a step for its condition."""

from kalelite import Elif, If, pipeline, step


@step
def small() -> int:
    return 3


@step
def large() -> int:
    return 5


@step
def note(journal, word):
    with open(f"{journal}/journal.txt", "a") as file:
        file.write(f"{word}\n")


@pipeline(order="calls")
def main(journal: str = ""):
    with If(small() > 5):
        note(journal, "if")
    with Elif(large() > 4):
        note(journal, "elif")
    note(journal, "after")
    with If(large() > 7):
        note(journal, "never")
    with Elif(large() > 8):
        note(journal, "never")
    note(journal, "end")


JOURNAL = ["elif", "after", "end"]
RAN = {"note": 0, "note-2": 1, "note-3": 1, "note-4": 0, "note-5": 0, "note-6": 1}
