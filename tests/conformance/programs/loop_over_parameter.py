"""Items from pipeline parameters, typed and not, and from a part of a value."""

from kalelite import Collected, ParallelFor, pipeline, step


@step
def show(item):
    return repr(item)


@step
def config():
    return {"items": ("p", "q")}


@step
def join(*lists):
    return lists


@pipeline
def main(floats: list[float] = [1.0], words: list[str] = ["a"], anything: list = [1]):
    with ParallelFor(floats) as f:
        a = show(f)
    with ParallelFor(words) as w:
        b = show(w)
    with ParallelFor(anything) as x:
        c = show(x)
    return join(Collected(a), Collected(b), Collected(c))


ARGUMENTS = {"floats": [2.0, 0.5], "words": ["5", "b c"], "anything": ["x", 3, None]}
EXPECTED = (["2.0", "0.5"], ["'5'", "'b c'"], ["'x'", "3", "None"])
