"""kalelite in plain Python: decorators that do nothing, blocks that are Python's own."""

import sys

from plain_blocks import FinalStatus, one_of, plainly

__all__ = ["FinalStatus"]

OneOf = one_of
If = Elif = Else = ParallelFor = Collected = ExitHandler = Together = None  # read by `plainly`


def step(function=None, /, **options):
    if function is None:
        return step
    return function


def pipeline(function=None, /, **options):
    return pipeline if function is None else plainly(function)


def setup(function):
    function()
    return function


def nothing(*args, **options):
    pass


log_metric = log_artifact = register = Retries = Volume = nothing
sys.modules["kalelite.marshal"] = sys.modules[__name__]
