"""Nested pipelines: one is used for each of two regions, in each for a list that a step makes."""

from kalelite import Collected, ParallelFor, pipeline, step


@step
def seasons(region: str) -> list[str]:
    return {"north": ["winter", "summer"], "south": ["wet", "dry", "storm"]}[region]


@step
def measure(region: str, season: str, scale: int = 1) -> int:
    return scale * len(region + season)


@step
def smooth(value: int, by: int) -> int:
    return value - value % by


@step
def summary(region, values):
    return {region: sum(values)}


@step
def join(*parts):
    return {key: value for part in parts for key, value in part.items()}


@pipeline(defaults={"env": {"PART": "yes"}})
def one(region, season, by=2):
    return smooth(measure(region, season, scale=10), by)


@pipeline
def whole(region: str, by: int = 4):
    with ParallelFor(seasons(region)) as season:
        value = one(region, season, by=by)
    return summary(region, Collected(value))


@pipeline
def main(by: int = 4):
    north = whole("north", by)
    south = whole("south")
    return join(north, south)


ARGUMENTS = {"by": 100}
EXPECTED = {"north": 200, "south": 80 + 80 + 100}
ORDER = ["seasons", "measure[1]", "smooth[1]", "summary", "join"]
