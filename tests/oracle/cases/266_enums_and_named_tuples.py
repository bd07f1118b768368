"""Flags with aliases, enums with `_missing_`, `__init__` and a mixin, a generic NamedTuple, a bare Tuple.

Right: members stay themselves.
"""
import enum
from typing import NamedTuple, Generic, TypeVar, Tuple, Optional
from kalelite import pipeline, step
T = TypeVar("T")
class Perm(enum.Flag):
    R = enum.auto(); W = enum.auto(); X = enum.auto()
    RW = R | W
    ALL = RW | X
    NONE = 0
class Level(str, enum.Enum):
    LOW = "low"; SMALL = "low"; HIGH = "high"
    @classmethod
    def _missing_(cls, v):
        return cls.HIGH
    @property
    def up(self): return self.value.upper()
class Planet(enum.Enum):
    EARTH = (5.9, 6.3)
    def __init__(self, mass, radius):
        self.mass, self.radius = mass, radius
class Item(NamedTuple, Generic[T]):
    value: T
    tags: Tuple = ()
    def doubled(self): return self.value * 2
class Num(enum.IntEnum):
    @staticmethod
    def _generate_next_value_(name, start, count, last): return 10 * (count + 1)
    A = enum.auto(); B = enum.auto()
@step
def make() -> Tuple:
    return Perm.RW, Level.SMALL, Planet.EARTH, Item([1], ("t",)), Num.B, Perm.ALL & ~Perm.W
@step
def look(a, b, c, d, e, f, extra: Optional[int] = None):
    return (repr(a), a is Perm.RW, list(Perm), b is Level.LOW, b.name, b.up, Level("zzz").name, c.mass, c is Planet.EARTH, d, d.doubled(), type(d) is Item, repr(e), repr(f), Perm.R in f, f is (Perm.R | Perm.X), list(Level.__members__), Num(20), extra)
@pipeline
def flow():
    a, b, c, d, e, f = make()
    return look(a, b, c, d, e, f)
if __name__ == "__main__":
    print("RESULT", flow())
