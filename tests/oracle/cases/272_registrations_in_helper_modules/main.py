"""Registrations and a copyreg reducer in a module of the project, imported for its effect.

Right: the steps find them.
"""
from kalelite import pipeline, step
from lib.kinds import show, Money, Temp
import lib.more  # registers
import copyreg
@step
def make():
    return Money(3, "eur"), Temp(20)
@step
def use(m, t):
    return show(m), show(t), show([1]), show("x"), m.cents(), Money.rates["usd"], sorted(map(str, show.registry))
@pipeline
def flow():
    m, t = make()
    return use(m, t)
if __name__ == "__main__":
    print("RESULT", flow())
