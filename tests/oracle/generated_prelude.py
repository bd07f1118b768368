"""What every generated program begins with: classes, helpers and globals of a script."""

import copy
import enum
import functools
import random
import re
import types
from abc import ABC, abstractmethod
from array import array
from collections import ChainMap, Counter, OrderedDict, UserDict, defaultdict, deque, namedtuple
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar
from uuid import UUID

import numpy as np

from kalelite import (
    Collected,
    Elif,
    Else,
    ExitHandler,
    If,
    OneOf,
    ParallelFor,
    pipeline,
    step,
)

FACTOR = 21
LIMITS = {"low": 1, "high": [9]}
LIMITS["middle"] = 5
T = TypeVar("T")


@dataclass
class Point:
    x: int
    more: list = field(default_factory=list)


@dataclass(frozen=True, order=True, slots=True)
class Key:
    name: str
    rank: int = 0


@dataclass(kw_only=True)
class Place(Point):
    name: str = "here"
    size: int = field(init=False, default=3, repr=False)

    def __post_init__(self):
        self.size = len(self.name)


Pair = namedtuple("Pair", "first second")


class Row(NamedTuple):
    n: int
    tags: list = []

    @property
    def count(self):
        return self.n + len(self.tags)


class Colour(enum.Enum):
    RED = 1
    GREEN = 2
    CRIMSON = 1


class Mode(enum.IntFlag):
    READ = 1
    WRITE = 2
    BOTH = 3


class Slotted:
    __slots__ = ("n",)

    def __init__(self, n):
        self.n = n


class Account:
    opened = 0

    def __init__(self, balance):
        self.balance = balance

    def __eq__(self, other):
        return isinstance(other, Account) and other.balance == self.balance

    def __hash__(self):
        return hash(self.balance)


class Box:
    def __init__(self, inner):
        self.inner = inner
        self.me = self


class Plugin(ABC):
    known = {}

    def __init_subclass__(cls, tag="", **named):
        super().__init_subclass__(**named)
        cls.tag = tag
        Plugin.known[tag] = cls.__name__

    @abstractmethod
    def run(self): ...

    def __repr__(self):
        return f"{type(self).__name__} {self.tag} {self.run()} {sorted(Plugin.known)}"


class Double(Plugin, tag="double"):
    def run(self):
        return FACTOR * 2


class Half(Double, tag="half"):
    def run(self):
        return super().run() // 4


class Ordered(type):
    def __new__(mcs, name, bases, space):
        made = super().__new__(mcs, name, bases, space)
        made.fields = [key for key, value in space.items() if isinstance(value, int)]
        return made


class Form(metaclass=Ordered):
    z = 1
    a = 2

    def __repr__(self):
        return f"Form {self.fields}"


class Holder(Generic[T]):
    def __init__(self, item: T):
        self.item = item


class Words(list):
    """A list with a name."""

    def __init__(self, *items, name="words"):
        super().__init__(items)
        self.name = name


class Table(UserDict):
    def __missing__(self, key):
        return FACTOR


class Wrong(ValueError):
    def __init__(self, what, *, code=7):
        super().__init__(what)
        self.code = code


class Lazy:
    def __init__(self, n):
        self.n = n

    @functools.cached_property
    def square(self):
        return self.n**2

    @classmethod
    def ready(cls, n):
        made = cls(n)
        _ = made.square
        return made

    def bound(self, x):
        return self.n + x


def logged(function):
    @functools.wraps(function)
    def wrapper(*args, **named):
        return [function.__name__, function(*args, **named)]

    return wrapper


@logged
def scaled(x, by=FACTOR):
    return x * by


@functools.lru_cache
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


@functools.singledispatch
def kind_of(value):
    return "any"


@kind_of.register
def _(value: int):
    return "whole"


@kind_of.register(list)
def _(value):
    return [kind_of(item) for item in value]


def adder(n):
    return lambda x: x + n + FACTOR


def counter():
    count = 0

    def add():
        nonlocal count
        count += 1
        return count

    def get():
        return count

    return add, get


def deep(n):
    made = []
    for _ in range(n):
        made = [made]
    return made


def twice(value):
    return {"one": value, "other": [value, value]}


def canon(v, seen=(), depth=0):
    """A value in words: types, structure and content."""
    kind = type(v).__name__
    if id(v) in seen:
        return f"<again {len(seen) - seen.index(id(v))}>"
    if depth > 40:
        return "..."
    seen = (*seen, id(v))
    words = functools.partial(canon, seen=seen, depth=depth + 1)
    if isinstance(v, type):
        return f"class {v.__name__}"
    if isinstance(v, functools.partial):
        return f"partial {words(v.func)} {words(v.args)} {words(v.keywords)}"
    if isinstance(v, types.MethodType):
        return f"method {v.__name__} of {words(v.__self__)}"
    if isinstance(v, types.FunctionType):
        cells = [words(cell.cell_contents) for cell in v.__closure__ or ()]
        return f"{v.__name__} {cells} {v(1) if v.__name__ == '<lambda>' else ''}"
    if isinstance(v, np.ma.MaskedArray):
        return f"{kind} {v.dtype} {v.tolist()!r}"
    if isinstance(v, np.ndarray):
        order = "F" if v.flags.f_contiguous and not v.flags.c_contiguous else "C"
        total = repr(v.tolist()) if v.size < 50 else f"{v.sum()} {v.ravel()[:3].tolist()}"
        return f"{kind} {v.dtype} {v.shape} {order} {total}"
    if isinstance(v, np.random.Generator):
        return f"{kind} {v.bit_generator.state['state']}"
    if isinstance(v, random.Random):
        return f"{kind} {sum(v.getstate()[1])}"
    if isinstance(v, (dict, UserDict, ChainMap)):
        inner = ", ".join(f"{words(k)}: {words(x)}" for k, x in v.items())
        factory = f" {v.default_factory.__name__}" if isinstance(v, defaultdict) else ""
        return f"{kind}{factory} {{{inner}}}"
    if isinstance(v, (set, frozenset)):
        return f"{kind} {sorted(words(x) for x in v)}"
    if isinstance(v, (list, tuple, deque)):
        own = f" {words(vars(v))}" if hasattr(v, "__dict__") and vars(v) else ""
        return f"{kind}{own} [{', '.join(words(x) for x in v)}]"
    if isinstance(v, Slotted):
        return f"Slotted {words(v.n)}"
    if isinstance(v, BaseException):
        return f"{kind} {v.args!r} {words(vars(v))}"
    if isinstance(v, Mode):
        return f"{v!r} {v is Mode(v.value)}"
    if isinstance(v, enum.Enum):
        return f"{v!r} {v is Colour(v.value)}"
    if isinstance(v, (bytes, str)) and len(v) > 200:
        return f"{kind} {len(v)} {v[:9]!r} {v[-9:]!r}"
    if isinstance(v, (Plugin, Form, Key)) or not hasattr(v, "__dict__"):
        return f"{kind} {v!r}"
    return f"{kind} {words(vars(v))}"


def changed(v):
    """The value, changed in place where it can be, else another one."""
    if isinstance(v, (list, deque)):
        v.append("more")
    elif isinstance(v, (dict, UserDict, ChainMap)) and not isinstance(v, Counter):
        v["new"] = [FACTOR]
    elif isinstance(v, set):
        v.add("new")
    elif isinstance(v, array):
        v.append(4)
    elif isinstance(v, bytearray):
        v += b"!"
    elif isinstance(v, np.ndarray) and v.dtype.kind in "if":
        v += 1
    elif isinstance(v, (np.random.Generator, random.Random)):
        v.random()
    elif isinstance(v, Point):
        v.more.append(v.x)
    elif isinstance(v, Account):
        v.balance += 1
    elif isinstance(v, (Box, Holder)):
        v.inner = "changed"
    elif isinstance(v, types.SimpleNamespace):
        v.more = [v]
    elif isinstance(v, tuple) and v and callable(v[0]):
        v[0]()
    else:
        return [v]
    return v
