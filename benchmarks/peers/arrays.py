"""kalelite: steps that hand on an array of 100 MB, each with a change to it."""

import sys

import numpy as np

from kalelite import pipeline, step
from kalelite.backends.local import LocalSettings, prewarm, run_plan
from kalelite.backends.local.events import NullReporter


@step
def make():
    return np.ones(12_500_000)


@step
def hand_on(array):
    array[0] += 1
    return array


@pipeline
def arrays():
    value = make()
    for _ in range(int(sys.argv[1]) - 1):
        value = hand_on(value)
    return value


def main():
    result = run_plan(arrays.plan(), {}, settings=LocalSettings(), reporter=NullReporter())
    assert result.value[0] == int(sys.argv[1])


if __name__ == "__main__":
    # As the command line does it, before the script's own imports; here that is too late to help.
    prewarm("import numpy")
    main()
