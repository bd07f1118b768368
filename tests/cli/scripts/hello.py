"""One step."""

from kalelite import pipeline, step


@step
def greet(name: str):
    print(f"hello, {name}")
    return f"hello, {name}"


@pipeline
def hello(name: str = "world"):
    return greet(name)
