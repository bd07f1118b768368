"""Steps in call order, where a backend has to decide a condition itself."""

from kalelite import If, ParallelFor, pipeline, step


@step
def note(journal, word) -> int:
    with open(f"{journal}/journal.txt", "a") as file:
        file.write(f"{word}\n")
    return len(word)


@step
def words() -> list:
    return ["d", "e"]


@pipeline(order="calls")
def main(journal: str = ""):
    a = note(journal, "a")
    with If((a == 1) & (a < 5)):
        note(journal, "b")
    note(journal, "c")
    with ParallelFor(words(), parallelism=1) as word:
        note(journal, word)
    note(journal, "f")


JOURNAL = ["a", "b", "c", "d", "e", "f"]
