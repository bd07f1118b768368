"""A step that exits without an error has not done its work."""

import sys

from kalelite import pipeline, step


@step
def leave():
    sys.exit(0)


@step
def never(x):
    return x


@pipeline
def main():
    return never(leave())


STATE = "failed"
RAN = {"leave": 0, "never": 0}
