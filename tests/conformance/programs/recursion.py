"""Values that hold themselves, and one object in two places."""

from kalelite import pipeline, step


@step
def make():
    loop = [1]
    loop.append(loop)
    shared = {"x": 1}
    return loop, [shared, shared]


@step
def look(loop, pair):
    return loop[1] is loop, pair[0] is pair[1]


@pipeline
def main():
    loop, pair = make()
    return look(loop, pair)


EXPECTED = (True, True)
