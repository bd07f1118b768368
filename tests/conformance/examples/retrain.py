"""A model is trained anew only if it has become bad; which one is kept is decided by the score."""

from dataclasses import dataclass

from kalelite import Elif, Else, If, OneOf, pipeline, step


@dataclass
class Model:
    weight: float
    version: int = 1

    def predict(self, x):
        return self.weight * x


@step
def fetch(drift: float):
    return [(x, x * (2 + drift)) for x in range(1, 6)]


@step
def error(model: Model, data) -> float:
    return max(abs(model.predict(x) - y) / y for x, y in data)


@step
def retrain(model: Model, data):
    return Model(sum(y for _, y in data) / sum(x for x, _ in data), model.version + 1)


@step
def adjust(model: Model, data):
    return Model((model.weight + data[0][1]) / 2, model.version)


@step
def keep(model: Model):
    return model


@step
def publish(model: Model, error: float):
    return model.version, round(model.weight, 3), round(error, 3)


@pipeline
def judged(model, data):
    found = error(model, data)
    with If(found > 0.3):
        new = retrain(model, data)
    with Elif(found > 0.1):
        changed = adjust(model, data)
    with Else():
        same = keep(model)
    return OneOf(new, changed, same), found


@pipeline
def main(drift: float = 1.0):
    data = fetch(drift)
    model, bad = judged(Model(2.0), data)
    model, good = judged(model, data)
    with If((bad > good) & ~(good > 0.01)):
        published = publish(model, good)
    return model, bad, good


MODEL = Model(3.0, 2)
EXPECTED = (MODEL, 1 / 3, 0.0)
VALUES = {"publish": (2, 3.0, 0.0)}
RAN = ["fetch", "error", "retrain", "error-2", "keep-2", "publish"]
ORDER = RAN
