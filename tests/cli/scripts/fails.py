"""One step fails; what needs it does not run, what does not need it does."""

import json

from kalelite import pipeline, step


def parse(text):
    return json.loads(text)


@step
def load():
    print("reading")
    return "{broken"


@step
def decode(text):
    print("about to decode")
    return parse(text)


@step
def other():
    return 1


@step
def report(value):
    return value


@pipeline
def fragile():
    text = load()
    value = decode(text)
    other()
    return report(value)
