"""Options that change how a step runs."""

import os

from kalelite import pipeline, step


@step(env={"MODE": 'it\'s "fast" ünï'}, cpu="500m", memory="1.5Gi", timeout=60, labels={"a": "b"})
def show():
    return os.environ["MODE"]


@pipeline(defaults={"env": {"OTHER": "1"}})
def main():
    return show()


EXPECTED = 'it\'s "fast" ünï'
