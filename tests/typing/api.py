"""Only type-checked, never run: decorated functions keep their types.

mypy --strict and pyright pass this file as it stands. A ``type: ignore`` marks what they have to
refuse; strict checkers complain about one that ignores nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, assert_type

from kalelite import (
    Collected,
    Elif,
    Else,
    ExitHandler,
    FinalStatus,
    If,
    NotSecret,
    OneOf,
    ParallelFor,
    Retries,
    SecretEnv,
    Volume,
    container_step,
    pipeline,
    step,
)


class Scores(NamedTuple):
    train: float
    test: float


@step
def load(seed: int, size: int = 100) -> tuple[list[float], str]:
    """Both forms of the decorator keep the signature."""
    return [float(seed)] * size, "labels"


@step(name="train_it", memory="4Gi", retries=Retries(2, wait="10s", only=(OSError, "KeyError")))
def train(data: list[float], *, rate: float = 0.1) -> Scores:
    return Scores(sum(data), rate)


@step
def names() -> list[str]:
    return ["a", "b"]


@step
def measure(name: str) -> float:
    return float(len(name))


@step
def best(scores: list[float]) -> float:
    return max(scores)


@step
def clean_up(folder: str, status: FinalStatus | None = None) -> None:
    print(folder, status)


@pipeline
def nested(seed: int) -> float:
    data, _ = load(seed)
    return train(data).test


@pipeline(name="whole", experiment="types", order="calls")
def whole(seed: int = 1, rate: float = 0.5) -> tuple[float, float]:
    data, label = load(seed, size=3)
    assert_type(data, list[float])
    assert_type(label, str)

    scores = train.options(memory="8Gi").after(label)(data, rate=rate)
    assert_type(scores, Scores)
    assert_type(scores.test, float)

    with ExitHandler(clean_up("folder")):
        with If(scores.test > 0.9):
            chosen = measure("a")
        with Elif((scores.test > 0.5) & (scores.train > 0.5)):
            chosen_2 = measure("b")
        with Else():
            chosen_3 = measure("c")
        assert_type(OneOf(chosen, chosen_2, chosen_3), float)

        with ParallelFor(names(), parallelism=2) as name:
            assert_type(name, str)
            score = measure(name)
        assert_type(Collected(score), list[float])
        top = best(Collected(score))

        with ParallelFor([{"rate": 0.1}]) as item:
            train(data, rate=item["rate"])

    assert_type(nested(seed), float)
    return top, nested(3)


plain: Callable[[int, int], tuple[list[float], str]] = load
assert_type(load(1), tuple[list[float], str])
assert_type(measure.__wrapped__("a"), float)
plan = whole.plan()
whole.compile("whole.yaml")
whole(2, rate=0.1)


@step(
    cpu=0.5,
    memory=2**30,
    timeout="1h",
    retries=2,
    packages=["pandas>=2"],
    env={"MODE": "fast", "SORT_KEY": NotSecret("name")},
    secrets={"TOKEN": ("name", "key"), "/creds": "name"},
    config_maps=None,
    volumes=[Volume("claim", "/data")],
    tolerations=["gpu", {"key": "a", "operator": "Exists"}],
)
def train_with_options() -> None: ...


@pipeline(defaults={"memory": "2Gi", "secrets": [SecretEnv("TOKEN", "name", "key")]})
def with_defaults() -> None: ...


count = container_step("count", "busybox", ["true"], memory="1Gi")
count.options(name="count-2", cpu=1)

load("one")  # type: ignore[arg-type]
load()  # type: ignore[call-arg]
train([1.0], 0.5)  # type: ignore[call-arg]
train([1.0], speed=1)  # type: ignore[call-arg]
measure.options(memory="1Gi")(3)  # type: ignore[arg-type]
whole(rate="fast")  # type: ignore[arg-type]

step(memroy="4Gi")  # type: ignore[call-overload]
step(memory=["4Gi"])  # type: ignore[call-overload]
train.options(gpus=1)  # type: ignore[call-arg]
train.options(packages="pandas")  # type: ignore[arg-type]
pipeline(order="call")  # type: ignore[call-overload]
pipeline(defaults={"memroy": "2Gi"})  # type: ignore[call-overload]
container_step("count", "busybox", packages=["pandas"])  # type: ignore[call-arg]
count.options(image="busybox:2")  # type: ignore[call-arg]
whole.compile("whole.yaml", imgae="python:3.11")  # type: ignore[call-arg]
whole.compile("whole.yaml", access_mode=3)  # type: ignore[arg-type]
