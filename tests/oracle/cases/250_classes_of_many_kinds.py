"""Classes of the script of many kinds: enums and flags, mixins, metaclasses, hooks, slots, generics.

Right: steps see them as they are in plain Python, and values of them come from step to step.
"""

import enum, abc, collections, dataclasses, typing
from typing import Generic, TypeVar, NamedTuple, TypedDict, Protocol
from kalelite import pipeline, step


def low(t):
    return t.lower()


class Perm(enum.Flag):
    R = 4
    W = 2
    X = 1
    RW = 6


Perm.R | Perm.X


@dataclasses.dataclass
class CD:
    size: str
    legs: int = 4


class Animal(CD, enum.Enum):
    BEETLE = "small", 6
    DOG = "medium"


class Planet(enum.Enum):
    MERCURY = (3.3e23, 2.4e6)
    EARTH = (5.9e24, 6.3e6)

    def __init__(self, mass, radius):
        self.mass = mass
        self.radius = radius
        self.tag = low(self.name)

    @property
    def g(self):
        return self.mass / self.radius**2


class Auto(str, enum.Enum):
    def _generate_next_value_(name, start, count, last):
        return low(name)

    RED = enum.auto()
    BLUE = enum.auto()
    ROT = RED


class Coord(bytes, enum.Enum):
    def __new__(cls, value, label, unit):
        obj = bytes.__new__(cls, [value])
        obj._value_ = value
        obj.label = low(label)
        obj.unit = unit
        return obj

    PX = (0, "P.X", "km")
    PY = (1, "P.Y", "km")


class Meth(enum.Enum):
    A = 1
    name_ = enum.nonmember(3) if hasattr(enum, "nonmember") else 3

    def fn(self):
        return (self, Meth.A, type(self).B)

    B = 2

    @classmethod
    def _missing_(cls, v):
        return cls.A


class Meta(abc.ABCMeta):
    reg = []

    def __new__(m, name, bases, ns, **kw):
        c = super().__new__(m, name, bases, ns)
        m.reg.append(low(name))
        c.kw = kw
        return c

    def __init__(c, name, bases, ns, **kw):
        super().__init__(name, bases, ns)
        c.inited = getattr(c, "inited", 0) + 1

    def __call__(c, *a):
        o = super().__call__(*a)
        o.called = True
        return o


class Base(metaclass=Meta):
    @abc.abstractmethod
    def f(self): ...


class Der(Base, k=3):
    zz = 1
    aa = 2

    def f(self):
        return low("X")


Base.register(int)


class Desc:
    def __set_name__(self, owner, name):
        self.n = name
        owner.seen = getattr(owner, "seen", 0) + 1

    def __get__(self, o, t=None):
        return self.n if o is None else (self.n, o)


class HasD:
    a = Desc()
    b = Desc()


class Slots:
    __slots__ = ("x", "_y", "__z")

    def __init__(self, x):
        self.x = x
        self._y = 2
        self.__z = 3

    def z(self):
        return self.__z


class Sub(Slots):
    __slots__ = ("__dict__",)


@dataclasses.dataclass(slots=True, frozen=True)
class DS:
    b: int
    a: int = 1


@dataclasses.dataclass(order=True)
class DD:
    b: int
    a: list = dataclasses.field(default_factory=list)


T = TypeVar("T")


class Box(Generic[T]):
    def __init__(self, v: T):
        self.v = v


class IntBox(Box[int]):
    pass


class P(NamedTuple):
    x: int
    y: int = 2

    def s(self):
        return self.x + self.y


class PT(collections.namedtuple("PT", "u v")):
    def __new__(cls, u, v=None):
        return super().__new__(cls, u, low(v or "Q"))


class TD(TypedDict, total=False):
    a: int


class Pr(Protocol):
    def f(self) -> str: ...


@typing.runtime_checkable
class Pr2(Protocol):
    def f(self) -> str: ...


class A0:
    n = 0


class A1(A0):
    n = 0
    m = None


class Plug:
    subs = []

    def __init_subclass__(cls, name=None, **kw):
        super().__init_subclass__(**kw)
        Plug.subs.append(cls)
        cls.name = name or low(cls.__name__)


class P1(Plug):
    pass


class P2(Plug, name="zwei"):
    pass


class P3(P2, Generic[T]):
    pass


class L(list):
    def append(self, x):
        super().append(low(x))

    def extend(self, xs):
        super().extend(map(low, xs))


class D(dict):
    def __setitem__(self, k, v):
        super().__setitem__(low(k), v)


LL = L()
LL.append("A")
DDD = D()
DDD["K"] = 1


class St:
    def __init__(self):
        self.a = "a"

    def __getstate__(self):
        return {"a": self.a.upper()}

    def __setstate__(self, s):
        self.a = low(s["a"])


ST = St()


class Red:
    def __init__(self, v):
        self.v = low(v)

    def __reduce__(self):
        return make_red, (self.v.upper()[:1],)


def make_red(v):
    return Red(helper2(v))


def helper2(v):
    return v + LIM


LIM = "X"
RED = make_red("Y")
PTT = PT(1, "W")
SET = frozenset({P(1), PTT})


@step
def e1():
    return (
        list(Perm),
        Perm.R | Perm.X,
        Perm.RW,
        list(Perm.__members__),
        (Perm.R | Perm.W) is Perm.RW,
        ~Perm.R,
        Perm["RW"].name,
        Perm.RW in Perm.RW,
        list(Animal),
        Animal.DOG.legs,
        Animal.BEETLE.value,
        Animal(CD("small", 6)).name if False else Animal.BEETLE.size,
        Planet.EARTH.g,
        Planet.EARTH.tag,
        [p.radius for p in Planet],
        Planet((3.3e23, 2.4e6)).name,
        list(Auto),
        Auto.ROT is Auto.RED,
        Auto("red"),
        Auto.BLUE + "x",
        list(Auto.__members__),
        Coord.PX.label,
        Coord.PY.value,
        Coord(1).label,
        bytes(Coord.PY),
        Meth.A.fn(),
        Meth(77),
        Meth.__members__.keys(),
        len(Meth),
        Meth.B.name,
    )


@step
def c1():
    d = Der()
    try:
        Base()
        ab = 0
    except TypeError:
        ab = 1

    class New(Base, k=4):
        def f(self):
            return 1

    s = Slots(1)
    try:
        s.q = 1
        sl = 0
    except AttributeError:
        sl = 1
    try:
        DS(1).c = 2
        fr = 0
    except Exception as e:
        fr = type(e).__name__
    return (
        Meta.reg,
        Der.kw,
        Der.inited,
        d.called,
        d.f(),
        ab,
        isinstance(3, Base),
        New.kw,
        New.inited,
        [k for k in vars(Der) if k[0] != "_"],
        HasD.a,
        HasD.b,
        HasD.seen,
        HasD().b[0],
        sl,
        s.z(),
        s._y,
        Sub(2).x,
        hasattr(s, "__dict__"),
        vars(Sub(2)),
        DS(1),
        fr,
        DS.__slots__,
        DD(1) < DD(2),
        DD(1).a,
        [f.name for f in dataclasses.fields(DD)],
    )


@step
def g1():
    class Q(Plug, name="new"):
        pass

    class T1:
        def f(self):
            return ""

    return (
        IntBox(3).v,
        Box[int],
        IntBox.__orig_bases__,
        Box.__parameters__,
        P(1).s(),
        P(1),
        P._fields,
        P.__annotations__,
        P._field_defaults,
        PT(1, "W"),
        PTT,
        TD.__total__,
        TD.__annotations__,
        TD(a=3),
        isinstance(T1(), Pr2),
        Pr._is_protocol,
        "n" in vars(A1),
        "m" in vars(A1),
        [c.__name__ for c in Plug.subs],
        P1.name,
        P2.name,
        P3.name,
        Q.name,
        LL,
        DDD,
        ST.a,
        RED.v,
        sorted(map(repr, SET)),
        P3.__mro__[1].__name__,
        Plug.__subclasses__()[:2],
    )


@step
def mk():
    return [
        Perm.R | Perm.X,
        Perm.RW,
        Animal.DOG,
        Planet.EARTH,
        Coord.PX,
        Der(),
        Slots(4),
        DS(5),
        P(3),
        PT(1, "B"),
        TD(a=1),
        L("ab"),
        D(),
        St(),
        make_red("q"),
        {Auto.RED: 1},
        {PT(2, "x"): 3},
        Box(3),
    ]


@step
def us(v):
    return (
        [x.name for x in v[2:4]],
        v[:2],
        v[4].label,
        v[3] is Planet.EARTH,
        isinstance(v[5], Der),
        v[6].z(),
        v[7],
        v[8],
        v[9],
        v[11],
        v[13].a,
        v[14].v,
        v[15][Auto.ROT],
        v[16],
        type(v[17]) is Box,
    )


@pipeline
def flow():
    return e1(), c1(), g1(), us(mk())


if __name__ == "__main__":
    for r in flow():
        print("RESULT", r)
