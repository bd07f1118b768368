"""Three mistakes in one pipeline, and one in another."""

from kalelite import pipeline, step


@step
def load(n):
    return n


@step
def show(x):
    print(x)


@pipeline
def wrong(n: int = 3):
    a = load(n)
    if a:
        show(a)
    for x in a:
        show(x)
    show(a + 1)


@pipeline
def also_wrong():
    a = load(1)
    show(len(a))


if __name__ == "__main__":
    wrong()
