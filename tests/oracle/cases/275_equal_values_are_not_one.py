"""Equal values of two outputs, of two calls and of two items are objects of their own.

Right: what a step changes in one is not in the other; one output given twice is one object.
"""
from kalelite import pipeline, step


@step
def pair():
    return {"k": [3]}, {"k": [3]}


@step
def start():
    return {"k": [3]}


@step
def change(first, second):
    first["k"].append(4)
    return first["k"], second["k"], first is second


@step
def twins():
    model = {"k": [3]}
    return model, [model]


@step
def trained(model, optimizer, other):
    model["k"].append(5)
    return optimizer[0]["k"], other["k"]


@pipeline
def main():
    a, b = pair()
    c, d = start(), start()
    e, f = start(), start()
    many = [start() for _ in range(3)]
    g, h = twins()
    i, j = twins()
    return change(a, b), change(c, d), change(e, e), change(many[0], many[1]), trained(g, h, i)


if __name__ == "__main__":
    print("RESULT", main())
