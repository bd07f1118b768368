"""Steps that talk through files wait for one another, into and out of blocks."""

from kalelite import If, ParallelFor, pipeline, step


@step
def note(journal, word):
    with open(f"{journal}/journal.txt", "a") as file:
        file.write(f"{word}\n")
    return word


@pipeline
def main(journal: str = "", n: int = 1):
    c = note(journal, "c")
    b = note(journal, "b")
    a = note(journal, "a")
    c.after(b)
    b.after(a)
    with ParallelFor([1], parallelism=1) as i:
        note(journal, i).after(c)
    with If(n == 1):
        note(journal, "d", after=c)
    with ParallelFor([1, 2]) as j:
        e = note(journal, j)
    note(journal, "e", after=e)


RAN = {"note": 1, "note-2": 1, "note-3": 1, "note-4": 1, "note-5": 1, "note-6": 2, "note-7": 1}
