"""A pipeline whose steps import modules that are mounted into their pods."""

from kalelite import pipeline, step


@step(env={"PYTHONPATH": "/team"}, config_maps={"/team": "team-code"})
def from_config_map(x: int) -> int:
    import team_small

    return team_small.score(x)


@step(env={"PYTHONPATH": "/team/src"}, volumes={"/team": "team-code"})
def from_claim(x: int) -> int:
    from team_large.rates import score

    return score(x)


@pipeline
def main(x: int = 3):
    return from_claim(from_config_map(x))
