"""Registries, descriptors, protocols, dataclasses with `InitVar` and `KW_ONLY`, match, containers.

Right: all of it works in the next step.
"""
import weakref, abc, contextlib, dataclasses, typing, numbers, copy, operator
from dataclasses import dataclass, field, InitVar, KW_ONLY
from typing import ClassVar, Protocol, TypedDict, Generic, TypeVar, runtime_checkable, NewType
from kalelite import pipeline, step
T = TypeVar("T", bound="Base")
class Base(abc.ABC):
    registry: ClassVar[dict] = {}
    live = weakref.WeakSet()
    def __init_subclass__(cls, /, **kw):
        super().__init_subclass__(**kw); cls.registry[cls.__name__] = cls
    def __new__(cls, *a, **k):
        self = super().__new__(cls); return self
    @property
    @abc.abstractmethod
    def area(self): ...
    def __class_getitem__(cls, item): return f"{cls.__name__}[{item}]"
@dataclass(order=True)
class Sq(Base):
    side: float
    _: KW_ONLY
    scale: InitVar[int] = 1
    tags: list = field(default_factory=list, compare=False, metadata={"doc": "x"})
    def __post_init__(self, scale): self.side *= scale
    @property
    def area(self): return self.side ** 2
class Desc:
    def __set_name__(self, owner, name): self.name = "_" + name
    def __get__(self, o, t=None): return self if o is None else o.__dict__.get(self.name, "unset")
    def __set__(self, o, v): o.__dict__[self.name] = v * 2
class With:
    a = Desc(); b = Desc()
    __match_args__ = ("a", "b")
    def __getattr__(self, n):
        if n.startswith("__"): raise AttributeError(n)
        return f"auto-{n}"
    def __enter__(self): return self
    def __exit__(self, *e): return True
    def __reduce_ex__(self, p): return super().__reduce_ex__(p)
class TD(TypedDict, total=False): x: int
@runtime_checkable
class HasArea(Protocol):
    area: float
UserId = NewType("UserId", int)
class Node:
    def __init__(self, parent=None): self.parent = weakref.proxy(parent) if parent and False else parent; self.kids = []
    def __iter__(self): yield from self.kids
    def __len__(self): return len(self.kids)
    def __bool__(self): return True
    def __call__(self, x): return x + 1
    def __copy__(self): return "copied"
@step
def make():
    w = With(); w.a = 1
    n = Node(); k = Node(n); n.kids.append(k)
    return Sq(2, scale=3, tags=[1]), w, n, TD(x=1), UserId(4), Sq
@step
def use(s, w, n, td, u, cls):
    match w:
        case With(a, b): m = (a, b)
    with w: raise ValueError
    return s, s.area, isinstance(s, HasArea), list(Base.registry), cls is Sq, Base[int], [f.metadata for f in dataclasses.fields(s) if f.metadata], m, w.zzz, n.kids[0].parent is n, n(1), copy.copy(n), td, u, Sq(1) < Sq(2), dataclasses.asdict(s)
@pipeline
def flow():
    a, b, c, d, e, f = make()
    return use(a, b, c, d, e, f)
if __name__ == "__main__":
    print("RESULT", flow())
