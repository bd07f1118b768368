"""Steps change globals in many ways: directly, in a helper, on an object; one forgets its `return`.

Right: each is told. What a step does to its own values, to a memo of its own, or to a global that
nobody else reads, is not.
"""
# /// case
# ways = ["local"]
# has = ["`COUNT`", "`CONF`", "`BOX`", "`forgot`", "`apikey`", "`options`", "HF_TOKEN"]
# lacks = ["`MEMO`", "`rows`", "`says_none`", "`SORT`"]
# ///
from kalelite import pipeline, step

COUNT = 0
CONF = {"a": 1}
MEMO = {}


class Box:
    n = 0


BOX = Box()


def remember(n):
    CONF["a"] = n


@step
def count(n):
    global COUNT
    COUNT += 1
    rows = []
    rows.append(n)
    return n


@step
def conf(n):
    remember(n)
    return n


@step
def box(n):
    BOX.n += n
    return n


@step
def memo(n):
    MEMO[n] = n
    return n


@step
def forgot(n):
    n + 1


@step
def says_none(n):
    return None


@step
def use(*values):
    return len(values)


@pipeline
def flow(n: int = 1, apikey: str = "Zx8-kk2", options: dict = {"inner": {"token": "abc"}},
         sort_key: str = "SORT", text: str = "hf_abcdefghijklmnopqrstuvwx"):
    return use(count(n), conf(n), box(n), memo(n), forgot(n), says_none(n), text)


if __name__ == "__main__":
    flow()
    print(COUNT, CONF, BOX.n, "HF_TOKEN")
