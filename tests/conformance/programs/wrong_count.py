"""A step that returns more values than its call unpacks fails at that step."""

from kalelite import pipeline, step


@step
def three():
    values = [1, 2, 3]
    return values


@step
def use(a, b):
    return a + b


@pipeline
def main():
    a, b = three()
    return use(a, b)


STATE = "failed"
RAN = {"three": 0, "use": 0}
FAILS = {"three": ("ValueError", "wrong number of values")}
