"""Generators that the script makes at its top and several steps draw from.

Right: the first call draws the script's numbers, and no two calls the same, in two runs of the pipeline.
"""
# /// case
# ways = ["local", "debug"]
# lines = ["RESULT True", "RESULT [6, 6]"]
# ///
import random
import numpy as np
from kalelite import pipeline, step, ParallelFor, Collected
rng = np.random.default_rng(3)
r2 = random.Random(5)
old = np.random.RandomState(3)
@step
def draw(i=0):
    return rng.integers(0, 1000, 3).tolist(), r2.random(), old.randint(0, 1000)
@pipeline
def flow():
    a = draw()
    with ParallelFor([1, 1]) as i:
        b = draw(i)
    return a, draw(), Collected(b)
if __name__ == "__main__":
    first = flow()
    every = [first[0], first[1], *first[2], *flow()[:2]]
    print("RESULT", first[0] == ([811, 85, 179], 0.6229016948897019, 874) or first[0])
    print("RESULT", [len({repr(one[i]) for one in every}) for i in range(2)])
