"""A pipeline that keeps the state of its workspace between two steps."""

from kalelite import pipeline, snapshot, step


@step
def train() -> int:
    return 1


@pipeline
def keeping():
    return snapshot("workspace", after=train())
