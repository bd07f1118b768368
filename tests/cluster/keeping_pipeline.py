"""A pipeline that keeps the state of its workspace after a step, twice."""

from kalelite import pipeline, snapshot, step


@step
def train() -> int:
    return 1


@pipeline
def keeping():
    return snapshot(snapshot_class="dir-slow", after=snapshot("workspace", after=train()))
