"""A global with data of each thread, as helpers that keep a session for each thread have it."""

import threading

from kalelite import pipeline, step

local = threading.local()
local.count = 1


def session():
    if not hasattr(local, "session"):
        local.session = {"count": local.count}
    return local.session


@step
def use():
    seen = []
    thread = threading.Thread(target=lambda: seen.append(vars(local)))
    thread.start()
    thread.join()
    local.count += 1
    return session(), session() is session(), local.count, seen


@pipeline
def main():
    return use()


if __name__ == "__main__":
    print("RESULT", main())
