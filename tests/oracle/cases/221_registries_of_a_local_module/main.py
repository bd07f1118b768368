"""Functions and subclasses of the script are registered with a module of the project, and attributes set.

Right: a step finds all of them, also those that no code mentions.
"""
import libstate, json, decimal
from libstate import registry as reg, Task
from kalelite import pipeline, step
@reg.register("a")
def fa(x): return x + 1
@libstate.registry.register("b")
def fb(x): return x * 2
class First(Task): pass
class Second(Task): pass
for name in ("alpha", "beta"):
    setattr(libstate, name, name.upper())
libstate.RNG_SEEDED.extend([1, 2])
class Enc(json.JSONEncoder):
    def default(self, o): return str(o)
json._default_encoder = Enc()
@step
def look():
    return {k: f(3) for k, f in libstate.registry.items.items()}, [c.__name__ for c in Task.__subclasses__()], libstate.alpha, libstate.RNG_SEEDED, json.dumps([1]), str(decimal.Decimal(1)/3), libstate.late
@pipeline
def flow(): return look()
def main():
    decimal.getcontext().prec = 4
    libstate.late = 5
    print("RESULT", flow())
if __name__ == "__main__":
    main()
