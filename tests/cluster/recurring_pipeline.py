"""A pipeline that reads a volume of the notebook."""

from pathlib import Path

from kalelite import pipeline, step


@step
def read() -> str:
    return Path("/data/line").read_text().strip()


@pipeline
def main():
    return read()
