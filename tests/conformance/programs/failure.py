"""A failure stops what depends on it, and nothing else."""

from kalelite import pipeline, step


class OwnError(Exception):
    pass


@step
def good():
    return 1


@step
def bad(x):
    raise OwnError("it's {{bad}}: ünï")


@step
def after_bad(x):
    return x


@step
def independent(x):
    return x


@pipeline
def main():
    x = good()
    after_bad(bad(x))
    independent(x)


STATE = "failed"
RAN = {"good": 1, "bad": 0, "after_bad": 0, "independent": 1}
FAILS = {"bad": ("OwnError", "it's {{bad}}: ünï")}
