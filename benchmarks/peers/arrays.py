"""kalelite: steps that hand on an array of 100 MB, each with a change to it.

The fork server is started first of all, as the command starts it before it runs a script.
"""

import sys

from kalelite.backends.local.pool.prewarm import prewarm

if __name__ == "__main__":
    prewarm("import numpy")

import numpy as np

from kalelite import pipeline, step
from kalelite.backends.local.local_settings import LocalSettings
from kalelite.backends.local.run import run_plan


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
    result = run_plan(arrays.plan(), {}, settings=LocalSettings())
    assert result.value[0] == int(sys.argv[1])


if __name__ == "__main__":
    main()
