"""A step that never works is tried as often as it may be."""

from kalelite import pipeline, step


@step(retries=1)
def broken():
    raise KeyError("no such key")


@step
def never(x):
    return x


@pipeline
def main():
    return never(broken())


STATE = "failed"
ATTEMPTS = {"broken": 2, "never": 0}
FAILS = {"broken": ("KeyError", "no such key")}
