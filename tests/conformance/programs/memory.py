"""What a step says that it needs is also what it may have."""

from kalelite import pipeline, step


@step(memory="300Mi")
def greedy():
    return len(bytearray(2 * 10**9))


@pipeline
def main():
    greedy()


STATE = "failed"
RAN = {"greedy": 0}
FAILS = {"greedy": ("MemoryError", "")}
