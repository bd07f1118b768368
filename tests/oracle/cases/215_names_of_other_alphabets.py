"""Steps have names with letters that no accent is taken from.

Right: their tasks are called as a reader would spell them.
"""
# /// case
# ways = ["local"]
# has = ["strasse", "sigma", "aerlig-lon", "lodz"]
# ///
from kalelite import pipeline, step


@step
def straße():
    return 1


@step
def σ():
    return 3


@step
def ærlig_løn():
    return 4


@step
def łódź():
    return 5


@pipeline
def flow():
    return straße(), σ(), ærlig_løn(), łódź()


if __name__ == "__main__":
    print("RESULT", flow())
