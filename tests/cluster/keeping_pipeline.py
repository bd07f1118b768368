"""A pipeline that keeps the state of its workspace after a step, twice."""

from kalelite import pipeline, snapshot, step


@step
def train() -> int:
    return 1


@pipeline
def keeping():
    kept = snapshot("workspace", after=train())
    return snapshot("workspace", snapshot_class="dir-slow", after=kept)
