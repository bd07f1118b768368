"""Bare annotations of typing, as text, inside others and with Annotated; None as a default of others.

Right: a bare annotation says nothing of how many values there are, and `= None` allows None.
"""
import typing as t
from dataclasses import dataclass

from kalelite import pipeline, step


@step
def pair() -> "t.Tuple":
    return 1, "b"


@step
def noted() -> t.Annotated[t.Tuple, "two values"]:
    return [3], {"d": 4}


@step
def nested() -> t.Tuple[t.List, t.Dict]:
    return [5], {"f": 6}


@step
def whole() -> t.Tuple:
    return 7, 8, 9


@step
def given(rows, names: t.List, limit, box):
    return rows, names, limit, box.size


@dataclass
class Box:
    size: int = None


@pipeline
def flow(rows: t.List = None, limit: float = None, kind: str = None, box: Box = Box()):
    a, b = pair()
    c, d = noted()
    e, f = nested()
    return a, b, c, d, e, f, whole(), given(rows, ["x"], limit, box), kind


if __name__ == "__main__":
    print("RESULT", flow(), flow(rows=[1], limit=2.5))
