"""Something to watch, and to interrupt."""

import time

from kalelite import pipeline, step


@step
def wait(seconds):
    print("waiting", flush=True)
    time.sleep(seconds)
    return seconds


@pipeline
def slow(seconds: float = 0.5):
    for _ in range(4):
        wait(seconds)
