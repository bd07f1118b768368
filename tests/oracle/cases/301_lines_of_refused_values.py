"""A value that cannot be saved: the line that returns it is shown, also under --debug."""
# /// case
# ways = ["local", "debug"]
# exit = 1
# has = ["main.py:16 in one", 'return {"a": threading.Lock()}', "output['a'] cannot be handed"]
# lacks = ["debug.py"]
# ///

import threading

from kalelite import pipeline, step


@step
def one():
    return {"a": threading.Lock()}


@step
def two(a):
    return a


@pipeline
def main():
    return two(one())


if __name__ == "__main__":
    main()
