"""Steps for the tests: in a module of their own, so that no process of a task imports pytest."""

import os
from pathlib import Path

from kalelite.authoring.decorators import step
from kalelite.plan.status import FinalStatus


@step
def one() -> int:
    return 1


@step
def add(left, right) -> int:
    return left + right


@step
def pid():
    return os.getpid()


@step
def label(text: str) -> str:
    return text


@step
def numbers(n: int) -> list:
    return list(range(n))


@step
def square(x: int) -> int:
    return x * x


@step
def total(values) -> int:
    assert isinstance(values, list)
    return sum(values)


@step
def note_status(folder: str, status: FinalStatus):
    Path(folder, "status").write_text(f"{status.state} {status.failed_task} {status.message}")


@step
def fail(message: str = "boom"):
    raise ValueError(message)
