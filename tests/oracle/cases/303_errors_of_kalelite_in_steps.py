"""A step that uses kalelite wrongly: its error reaches the caller as any other does."""
# /// case
# ways = ["local", "debug"]
# [[run]]
# lines = ["RESULT UsageError", "RESULT UnmarshallableError", "RESULT TypeError"]
# exit = "any"
# has = ["main.py:26 in bad_metric"]
# [[run]]
# args = ["--", "raise"]
# exit = 1
# has = ["main.py:26 in bad_metric", "a metric needs a name"]
# lacks = ["error: a metric needs", "Traceback"]
# ///

import sys
import tempfile
import threading

from kalelite import log_artifact, log_metric, pipeline, step
from kalelite.errors import UnmarshallableError, UsageError
from kalelite.marshal import Store


@step
def bad_metric():
    log_metric("", 1)


@step
def bad_value():
    Store(tempfile.mkdtemp()).save(threading.Lock())


@step
def bad_call():
    log_artifact("a")


@pipeline
def metric():
    return bad_metric()


@pipeline
def value():
    return bad_value()


@pipeline
def call():
    return bad_call()


if __name__ == "__main__":
    for flow in (metric, value, call):
        try:
            flow()
        except (UsageError, UnmarshallableError, TypeError) as error:
            print("RESULT", type(error).__name__)
            if sys.argv[1:]:
                raise
