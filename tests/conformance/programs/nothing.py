"""Steps without inputs, without results, and a value None."""

from kalelite import pipeline, step


@step
def quiet():
    """Return nothing."""


@step
def none(x=None):
    return x


@step
def is_none(x, y):
    return x is None, y is None


@pipeline
def main():
    quiet()
    return is_none(none(), quiet())


EXPECTED = (True, True)
RAN = {"quiet": 1, "quiet-2": 1}
