"""A step that takes too long is stopped."""

import time

from kalelite import pipeline, step


@step(timeout=1)
def slow():
    time.sleep(60)


@pipeline
def main():
    slow()


STATE = "failed"
RAN = {"slow": 0}
