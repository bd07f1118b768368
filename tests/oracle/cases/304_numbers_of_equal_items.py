"""Items of loops draw numbers of their own, where they are equal too, and the same ones each time."""
# /// case
# needs = ["numpy"]
# ways = ["local", "debug", "compiled"]
# lines = ["RESULT 4 [4, 4, 4] True"]
# ///

import random

import numpy as np

from kalelite import Collected, ParallelFor, pipeline, step

random.seed(1)
np.random.seed(2)
rng = np.random.default_rng(3)


@step
def draw(i, j):
    return random.random(), float(np.random.rand()), float(rng.random())


@step
def count(rows):
    flat = [tuple(row) for inner in rows for row in inner]
    first = flat[0] == (0.13436424411240122, 0.43599490214200376, 0.08564916714362436)
    return len(set(flat)), [len({row[k] for row in flat}) for k in range(3)], first


@pipeline
def main():
    with ParallelFor(["x", "x"]) as i:
        with ParallelFor([0, 0]) as j:
            drawn = draw(i, j)
    return count(Collected(drawn))


if __name__ == "__main__":
    print("RESULT", *main())
