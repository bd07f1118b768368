"""What the top registers with a call of a library is named where it cannot be made again."""
# /// case
# needs = ["matplotlib"]
# ways = ["local"]
# lines = ["RESULT False"]
# has = ["main.py:16: the steps do not find what this does: matplotlib.colormaps.register("]
# ///

import matplotlib
from matplotlib.colors import ListedColormap

from kalelite import pipeline, step

matplotlib.rcParams["lines.linewidth"] = 3

matplotlib.colormaps.register(ListedColormap(["r", "b"], name="mine"))


@step
def known():
    return "mine" in matplotlib.colormaps


@pipeline
def main():
    return known()


if __name__ == "__main__":
    print("RESULT", main())
