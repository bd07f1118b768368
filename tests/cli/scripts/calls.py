"""Calls its pipelines itself, and has arguments of its own."""

import argparse

from kalelite import pipeline, step


@step
def add(a, b):
    return a + b


@pipeline
def small(a: int = 1):
    return add(a, 1)


@pipeline
def large(a: int = 100):
    return add(a, 1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--times", type=int, default=1)
    given = parser.parse_args()
    for number in range(given.times):
        print("small is", small(number))
    print("large is", large())
