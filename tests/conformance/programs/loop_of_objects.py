"""Items of a loop that are objects of the script's own classes, and parts of them."""

from dataclasses import dataclass

from kalelite import Collected, ParallelFor, pipeline, step


@dataclass
class Point:
    x: int
    y: tuple = ()


@step
def make() -> list:
    return [Point(1), Point(2, (3, 4))]


@step
def look(point):
    return isinstance(point, Point), point.x, point == Point(2, (3, 4))


@step
def join(rows):
    return rows


@pipeline
def main():
    with ParallelFor(make()) as point:
        row = look(point)
    return join(Collected(row))


EXPECTED = [(True, 1, False), (True, 2, True)]
