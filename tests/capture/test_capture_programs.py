"""Programs that have to give the same when each function runs in a process of its own.

The sources are deleted before the steps run: what a step has is what was captured.
"""

import textwrap

import pytest
from capture_harness import run_program

PROGRAMS = {
    "global constants and helpers": """
        import math
        RATE, NAMES = 0.5, ["a", "b"]
        def helper(n): return math.sqrt(n) * RATE
        def one(): return helper(16)
        def two(x): return x + len(NAMES)
    """,
    "helpers that call each other": """
        def even(n): return True if n == 0 else odd(n - 1)
        def odd(n): return False if n == 0 else even(n - 1)
        def one(): return even(10), odd(10)
    """,
    "a class of the script": """
        class Model:
            count = 0
            def __init__(self, w): self.w = w
            def __repr__(self): return f"Model({self.w})"
            def __eq__(self, other): return type(other) is Model and other.w == self.w
            __hash__ = None
        def one(): return Model(3)
        def two(m): assert isinstance(m, Model) and m == Model(3); return [m, Model(4)]
        def three(ms): assert all(type(m) is Model for m in ms); return ms
    """,
    "a class that the consumer does not name": """
        class Config:
            def __init__(self): self.x = 1
            def double(self): return helper(self.x)
        def helper(x): return 2 * x
        def one(): return Config()
        def two(c): return c.double()
    """,
    "dataclasses, frozen, with slots, nested": """
        from dataclasses import dataclass, field, replace
        @dataclass(frozen=True)
        class Point: x: int; y: int = 2
        @dataclass
        class Line:
            a: Point
            tags: list = field(default_factory=list)
        @dataclass(slots=True)
        class Slim: v: int
        def one(): return Line(Point(1)), Slim(3)
        def two(v):
            line, slim = v
            assert line == Line(Point(1)) and slim == Slim(3) and {Point(1): 1}[line.a] == 1
            return replace(line, tags=["t"]), slim
    """,
    "annotations and aliases of built-in generics": """
        Rows = list[int]
        Table = dict[str, Rows]
        class Frame:
            kind = tuple[int, ...]
        def helper(rows: Rows) -> Table: return {"rows": rows}
        def one() -> tuple[int, Rows]: return 1, [2]
        def two(pair: tuple[int, Rows]) -> Table: return helper(pair[1]), Table, Frame.kind
    """,
    "enums keep identity": """
        import enum
        class Color(enum.Enum):
            RED = 1
            BLUE = 2
            def other(self): return Color.BLUE if self is Color.RED else Color.RED
        class Bits(enum.Flag): A = enum.auto(); B = enum.auto()
        class Level(enum.IntEnum): LOW = 1; HIGH = 2
        def one(): return Color.RED, Bits.A | Bits.B, Level.HIGH
        def two(v):
            assert v[0] is Color.RED and v[1] == Bits.A | Bits.B and v[2] is Level.HIGH
            return v[0].other() is Color.BLUE, v
    """,
    "named tuples": """
        from typing import NamedTuple
        from collections import namedtuple
        class Pair(NamedTuple): left: int; right: str = "r"
        Old = namedtuple("Old", "a b")
        def one(): return Pair(1), Old(1, 2)
        def two(v): assert type(v[0]) is Pair and type(v[1]) is Old; return v[0].right, v
    """,
    "inheritance, super, properties, class and static methods": """
        import abc
        class Base(abc.ABC):
            registry = {}
            def __init_subclass__(cls, **kw): super().__init_subclass__(**kw); Base.registry[cls.__name__] = cls
            @abc.abstractmethod
            def name(self): ...
            @property
            def upper(self): return self.name().upper()
        class Leaf(Base):
            def __init__(self): super().__init__(); self.z = 1
            def name(self): return "leaf" + self.mark() + self.make.__name__
            @staticmethod
            def mark(): return "!"
            @classmethod
            def make(cls): return cls()
        def one(): return Leaf.make()
        def two(x): return x.upper, isinstance(x, Base), Base.registry["Leaf"] is Leaf, issubclass(Leaf, Base)
    """,
    "nested classes": """
        class Outer:
            class Inner:
                def __init__(self, v): self.v = v
                def __repr__(self): return f"Inner({self.v})"
            def make(self): return Outer.Inner(1)
        def one(): return Outer().make()
        def two(x): assert type(x) is Outer.Inner; return x, Outer.Inner.__qualname__
    """,
    "exceptions of the script": """
        class MyError(ValueError):
            def __init__(self, code): super().__init__(f"code {code}"); self.code = code
        def fail(): raise MyError(3)
        def one():
            try: fail()
            except MyError as e: return e.code, MyError(4).args
        def two(x):
            try: raise MyError(x[0])
            except ValueError as e: return type(e) is MyError, str(e)
    """,
    "decorated functions": """
        import functools
        def twice(f):
            @functools.wraps(f)
            def wrapper(*a): return f(*a) + f(*a)
            return wrapper
        @twice
        def helper(n): return n
        @functools.lru_cache(maxsize=None)
        def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)
        @functools.singledispatch
        def kind(x): return "object"
        @kind.register
        def _(x: int): return "int"
        class Box:
            @functools.cached_property
            def value(self): return fib(10)
        def one(): return helper(3), fib(30), kind(1), kind("s"), Box().value, fib.cache_parameters()
        def two(x): return x + (Box().value,)
    """,
    "partials, lambdas and closures in globals": """
        import functools, operator
        add3 = functools.partial(operator.add, 3)
        square = lambda x: x * x
        def counter():
            n = 0
            def up():
                nonlocal n; n += 1; return n
            def get(): return n
            return up, get
        UP, GET = counter()
        TABLE = {"sq": square, "add": add3}
        def one(): UP(); UP(); return TABLE["sq"](add3(1)), GET()
        def two(x): return x, TABLE["add"](1)
    """,
    "globals that hold the same object": """
        ITEMS = [1]
        INDEX = {"items": ITEMS}
        class Net:
            def __init__(self): self.w = [0]
        class Opt:
            def __init__(self, net): self.params = net.w
            def step(self): self.params[0] += 1
        net = Net(); opt = Opt(net)
        def one(): ITEMS.append(2); opt.step(); return INDEX["items"], net.w
        def two(x): assert INDEX["items"] is ITEMS; return x, ITEMS
    """.replace("return x, ITEMS", "return x"),
    "globals in a cycle": """
        A = {}; B = [A]; A["b"] = B
        class Node: pass
        class Tree: kind = Node
        Node.tree = Tree
        REG = {"t": Tree}; Tree.reg = REG
        def one(): return A["b"][0] is A, Node.tree.kind is Node, Tree.reg is REG, REG["t"] is Tree
        def two(x): return x, B[0]["b"] is B
    """,
    "a step that calls another step": """
        from kalelite.authoring.decorators import step
        @step
        def one(): return 1
        @step(cpu="1")
        def helper(x): return x + one()
        @step
        def two(x): return helper(x), [f(1) for f in (helper,)]
    """,
    "defaults, keyword-only, annotations, attributes, docstrings": """
        class T: pass
        def helper(a, b=[1, 2], *rest, c: int = 3, **more) -> T: return a, b, rest, c, more
        helper.tag = {"x": 1}
        def one(): 'doc'; return helper(1), helper(1, 2, 3, c=4, d=5), helper.tag, helper.__annotations__["return"] is T
        def two(x): return x, one.__doc__, helper.__defaults__
    """,
    "values that are functions, classes and methods of the script": """
        class Box:
            def __init__(self, v): self.v = v
            def get(self): return self.v
            def __repr__(self): return "Box"
        def helper(x): return x + 1
        def one(): return helper, Box, Box(5).get
        def two(v): f, c, m = v; return f(1), c is Box, f is helper, m(), type(m.__self__) is Box
    """,
    "local classes and lambdas as values": """
        def make(k):
            class Local:
                def __init__(self): self.k = k
                def __eq__(self, other): return type(self) is type(other)
            return Local
        def one(): L = make(3); return L(), L(), (lambda: 5)
        def two(v): a, b, f = v; return a == b, a.k, f()
    """,
    "the main module's own names": """
        import os
        def one(): return __name__, os.path.basename(__file__)
        def two(x): import __main__; return x, __main__.one is one, one.__module__
    """,
    "submodules that someone imported": """
        import os.path, concurrent.futures, xml.dom.minidom
        import collections.abc as cabc
        def one():
            with concurrent.futures.ThreadPoolExecutor(1) as pool: n = pool.submit(len, "abc").result()
            return n, xml.dom.minidom.parseString("<a/>").documentElement.tagName, isinstance([], cabc.Sequence)
    """,
    "numpy and a global array": """
        import numpy as np
        W = np.arange(4.0)
        def one(): return W @ W, np.linalg.norm(W)
        def two(x): W[0] = 5; return x[0] + W[0]
    """,
    "generic classes and type variables": """
        from typing import Generic, TypeVar
        T = TypeVar("T")
        class Box(Generic[T]):
            def __init__(self, v: T): self.v = v
            def get(self) -> T: return self.v
        class IntBox(Box[int]): pass
        def one(): return IntBox(3)
        def two(b): return isinstance(b, Box), b.get(), IntBox.__orig_bases__[0].__args__
    """,
    "a lambda that knows a class of the script": """
        class Config:
            def __init__(self): self.x = 1
        def make(): return lambda c: (isinstance(c, Config), type(Config()) is Config)
        def one(): return make(), Config()
        def two(v): f, c = v; return f(c), f(Config()), type(c) is Config
        def three(v): return v
    """,
    "a lambda that brings its class before the step's own": """
        import enum
        class Color(enum.Enum): RED = 1
        class Config: pass
        def one(): return lambda: (Config(), Color.RED)
        def two(f): c, r = f(); late = globals(); return type(c) is late["Config"] is Config, r is Color.RED
    """,
    "sets of words that are shared": """
        WORDS = {"b", "a", "c"}; INDEX = {"w": WORDS}; MIXED = {1, "a", b"c", 2.5}; EMPTY = set()
        class Bag: words = WORDS
        def one(): WORDS.add("d"); return sorted(INDEX["w"]), Bag.words is WORDS, len(MIXED), EMPTY
        def two(x): return x, INDEX["w"] is WORDS
    """,
    "sets of other things, and of what leads back to them": """
        import enum
        class Kind(enum.Enum): A = 1; B = 2
        class Node:
            def __init__(self): self.group = GROUP
        GROUP = set(); GROUP.update(Node() for _ in range(3))
        PAIRS = {("a", 1), ("b", 2)}; KINDS = frozenset({Kind.A, Kind.B}); DEEP = {frozenset("ab"), frozenset("cd")}
        SAME = [PAIRS, PAIRS, DEEP]
        def one(): return sorted(PAIRS), KINDS == set(Kind), sorted(map(sorted, DEEP)), all(n.group is GROUP for n in GROUP), len(GROUP), SAME[0] is SAME[1] is PAIRS
        def two(x): return x, type(KINDS) is frozenset, SAME[2] is DEEP, {type(d) for d in DEEP} == {frozenset}
    """,
    "recursive closures and late-bound globals": """
        def make():
            def fact(n): return 1 if n < 2 else n * fact(n - 1)
            return fact
        FACT = make()
        def one(): return FACT(5), later()
        def later(): return LATE
        LATE = "late"
    """,
    "a metaclass": """
        class Meta(type):
            def __new__(m, name, bases, ns, **kw): return super().__new__(m, name, bases, ns | {"made": name})
            def __repr__(cls): return f"<{cls.__name__}>"
        class A(metaclass=Meta): pass
        def one(): return A()
        def two(a): return A.made, type(A) is Meta, A, type(a) is A
    """,
    "mutable globals within one step": """
        COUNT = 0
        def bump():
            global COUNT
            COUNT += 1
            return COUNT
        def one(): bump(); return bump()
        def two(x): return x, bump()
    """.replace("return x, bump()", "return x"),
    "logging and regular expressions": """
        import logging, re
        log = logging.getLogger("x"); WORD = re.compile("a+")
        def one(): log.debug("hi"); return WORD.findall("aa b a"), log.name
    """,
    "an alias, a deleted name and a redefined function": """
        def f(): return 1
        g = f
        def f(): return 2
        h = f
        def one(): return f(), g(), h(), h is f
        def two(x): return x, g is not f
    """,
    "pathlib, datetime, decimal, uuid": """
        import datetime, decimal, pathlib, uuid
        P = pathlib.PurePosixPath("/a/b"); D = datetime.date(2020, 1, 2); Q = decimal.Decimal("1.10"); U = uuid.UUID(int=5)
        def one(): return P, D, Q, U
        def two(x): assert x == (P, D, Q, U); return x
    """,
}

MODULES = {
    "a local module": (
        {
            "helpers.py": "import math\nK = 2\nclass C:\n    def __init__(self): self.k = K\ndef f(x): return math.floor(x) * K\n"
        },
        """
        import helpers
        from helpers import C, f
        def one(): return f(2.5), C(), helpers.K
        def two(x): assert type(x[1]) is C is helpers.C; return x[0], x[1].k
        """,
    ),
    "a package with relative imports": (
        {
            "pkg/__init__.py": "from .core import run\nVERSION = '1'\n",
            "pkg/core.py": "from . import util\nfrom .sub.deep import DEEP\nfrom .util import scale as s\ndef run(x): return s(x) + util.ONE + DEEP\n",
            "pkg/util.py": "ONE = 1\ndef scale(x): return 10 * x\n",
            "pkg/sub/__init__.py": "",
            "pkg/sub/deep.py": "from ..util import ONE\nDEEP = ONE + 1\n",
        },
        """
        import pkg
        from pkg.core import run
        def one(): return run(1), pkg.VERSION, pkg.run is run
        """,
    ),
    "imports inside the function body": (
        {
            "late.py": "from inner import V\nclass K:\n    def __repr__(self): return 'K'\n",
            "inner.py": "V = 7\n",
            "pk/__init__.py": "",
            "pk/mod.py": "X = 1\n",
            "pk/other.py": "from pk import mod\nY = mod.X\n",
        },
        """
        def one():
            from late import V, K
            import pk.other as other
            from pk import mod
            return V, K(), other.Y, mod.X
        def two(x):
            import late
            assert type(x[1]) is late.K
            return x
        """,
    ),
    "a namespace package": (
        {"space/part.py": "Z = 3\n"},
        """
        from space import part
        def one(): return part.Z
        """,
    ),
    "steps in another module": (
        {
            "steps.py": "from kalelite.authoring.decorators import step\nBASE = 10\ndef _inner(x): return x + BASE\n@step\ndef one(): return _inner(1)\n@step\ndef two(x): return x, one()\n"
        },
        """
        from steps import one, two
        """,
    ),
    "a module with things that cannot be pickled": (
        {
            "res.py": "import threading, logging\nLOCK = threading.Lock()\nlog = logging.getLogger(__name__)\nGEN = (i for i in range(3))\ndef use():\n    with LOCK: return next(GEN)\n"
        },
        """
        import res
        def one(): return res.use()
        """,
    ),
    "modules that import each other": (
        {
            "ping.py": "import pong\ndef f(n): return pong.g(n - 1) if n else 'ping'\n",
            "pong.py": "import ping\ndef g(n): return ping.f(n - 1) if n else 'pong'\n",
        },
        """
        import ping
        def one(): return ping.f(3), ping.f(4)
        """,
    ),
    "a base class in a module, a subclass in the script": (
        {
            "base.py": "class Base:\n    seen = []\n    def hello(self): return type(self).__name__ + helper()\ndef helper(): return '!'\n"
        },
        """
        from base import Base
        class Mine(Base): pass
        def one(): return Mine()
        def two(m): return m.hello(), isinstance(m, Base), type(m) is Mine
        """,
    ),
    "a closure made by a local module": (
        {
            "factory.py": "SCALE = 3\ndef make(k):\n    def inner(x): return x * k * SCALE\n    return inner\n"
        },
        """
        from factory import make
        TIMES = make(2)
        def one(): return TIMES(5)
        """,
    ),
    "a module named like a package that is installed elsewhere": (
        {"attr.py": "WHO = 'mine'\n"},
        """
        import attr
        def one(): return attr.WHO
        """,
    ),
    "globals of a module that the script sets": (
        {
            "config.py": "DEBUG = False\nLIMITS = {'a': 1}\nMODEL = None\nUNTOUCHED = [1]\n_cache = None\ndef get():\n    global _cache\n    if _cache is None: _cache = iter([1, 2])\n    return next(_cache)\ndef configure(x):\n    global LEVEL\n    LEVEL = x\ndef see(): return DEBUG, LIMITS, MODEL, LEVEL, ARGS.size\n"
        },
        """
        import argparse, config
        class Net:
            size = 5
            def __repr__(self): return "Net"
        config.DEBUG = True
        config.LIMITS["b"] = 2
        config.MODEL = Net()
        config.ARGS = argparse.Namespace(size=7)
        config.configure("high")
        config.get()
        def one(): return config.see(), config.UNTOUCHED, type(config.MODEL) is Net
        def two(x): return x, config.DEBUG
        """,
    ),
    "import by name": (
        {"plug.py": "N = 4\n"},
        """
        import importlib
        def one(): return importlib.import_module("plug").N
        """,
    ),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_script_gives_the_same_in_steps(name, tmp_path, walker):
    plain, steps = run_program(walker, tmp_path, textwrap.dedent(PROGRAMS[name]))
    assert steps == plain


@pytest.mark.parametrize("name", MODULES)
def test_local_modules_travel(name, tmp_path, walker):
    files, text = MODULES[name]
    plain, steps = run_program(walker, tmp_path, textwrap.dedent(text), files)
    assert steps == plain
