"""Random small programs: steps that make, change, share, return and print values of many kinds.

A program is a script with several pipelines, written in two dialects from one tree: with
kalelite's blocks, and with Python's own ``for`` and ``if`` for the run that is the oracle. A step
that changes a value returns it, and the old name is not used again: steps own their inputs.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

VALUES = (
    "7",
    "-3.5",
    "float('nan')",
    "10**30",
    "True",
    "None",
    "'text with \\u00e9 and \\U0001f600'",
    "b'bytes'",
    "bytearray(b'ab')",
    "complex(1, -0.0)",
    "(1, 'two', [3])",
    "[1, [2, [3]]]",
    "[]",
    "{'b': 1, 'a': [2]}",
    "{3: 'three', (1, 2): {'x'}}",
    "{'red', 'green'}",
    "frozenset({1, 2})",
    "range(3)",
    "Point(1, [2])",
    "Pair('left', [1])",
    "Colour.RED",
    "[Colour.RED, Colour.CRIMSON]",
    "Slotted(5)",
    "Account(10)",
    "datetime(2024, 2, 29, 12, tzinfo=timezone.utc)",
    "Decimal('1.10')",
    "Fraction(2, 3)",
    "OrderedDict(b=1, a=2)",
    "defaultdict(list, a=[1])",
    "Counter('abca')",
    "deque([1, 2], maxlen=3)",
    "ValueError('wrong', 3)",
    "np.arange(6).reshape(2, 3)",
    "np.array([1.5, np.nan], dtype='float32')",
    "np.float64(2.5)",
    "np.array(['a', None], dtype=object)",
    "np.ma.array([1, 2], mask=[True, False])",
    "np.zeros((0, 3))",
    "[np.arange(3)] * 2",
    "adder(3)",
    "counter()",
    "LIMITS",
    "FACTOR * 2",
    "Path('not') / 'there'",
    "slice(1, 2)",
    "Box(Box(None))",
)

HEAD = '''\
import enum
import sys
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from dataclasses import dataclass, field
from datetime import datetime, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np

from kalelite import {names}

FACTOR = 21
LIMITS = {{"low": 1, "high": [9]}}
LIMITS["middle"] = 5


@dataclass
class Point:
    x: int
    more: list = field(default_factory=list)


Pair = namedtuple("Pair", "first second")


class Colour(enum.Enum):
    RED = 1
    GREEN = 2
    CRIMSON = 1


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


def canon(v, seen=()):
    """A value in words: types, structure and content."""
    kind = type(v).__name__
    if id(v) in seen:
        return "<again>"
    seen = (*seen, id(v))
    inner = lambda items: ", ".join(canon(item, seen) for item in items)
    if callable(v) and hasattr(v, "__closure__"):
        return f"{{v.__name__}}({{v(1) if v.__code__.co_argcount else v()!r}})"
    if isinstance(v, np.ma.MaskedArray):
        return f"{{kind}} {{v.dtype}} {{v.tolist()!r}}"
    if isinstance(v, np.ndarray):
        return f"{{kind}} {{v.dtype}} {{v.shape}} {{v.tolist()!r}}"
    if isinstance(v, dict):
        return f"{{kind}} {{{{{{', '.join(canon(k, seen) + ': ' + canon(x, seen) for k, x in v.items())}}}}}}"
    if isinstance(v, (set, frozenset)):
        return f"{{kind}} {{sorted(canon(x, seen) for x in v)}}"
    if isinstance(v, (list, tuple, deque)):
        return f"{{kind}} [{{inner(v)}}]"
    if isinstance(v, Slotted):
        return f"Slotted {{v.n}}"
    if isinstance(v, BaseException):
        return f"{{kind}} {{v.args!r}}"
    if isinstance(v, enum.Enum):
        return f"{{v!r}} {{v is Colour(v.value)}}"
    if isinstance(v, (Account, Box)):
        return f"{{kind}} {{canon(vars(v), seen)}}"
    return f"{{kind}} {{v!r}}"


def changed(v):
    """The value, changed in place where it can be, else another one."""
    if isinstance(v, (list, deque)):
        v.append("more")
    elif isinstance(v, dict) and not isinstance(v, Counter):
        v["new"] = [FACTOR]
    elif isinstance(v, set):
        v.add("new")
    elif isinstance(v, bytearray):
        v += b"!"
    elif isinstance(v, np.ndarray) and v.dtype.kind in "if":
        v += 1
    elif isinstance(v, Point):
        v.more.append(v.x)
    elif isinstance(v, Account):
        v.balance += 1
    elif isinstance(v, Box):
        v.inner = "changed"
    else:
        return [v]
    return v
'''


@dataclass
class Program:
    """A generated script in both dialects."""

    seed: int
    steps: list[str] = field(default_factory=list)
    flows: list[list[tuple[str, str]]] = field(default_factory=list)

    def script(self, *, plain: bool) -> str:
        """The text: plain Python's, or kalelite's."""
        blocks = "" if plain else ", Collected, Else, If, OneOf, ParallelFor"
        parts = [HEAD.format(names=f"pipeline, step{blocks}"), *self.steps]
        for number, flow in enumerate(self.flows):
            body = [f"    {line}" for pair in flow for line in pair[not plain].splitlines()]
            parts.append("\n".join(["@pipeline", f"def flow_{number}():", *body]))
        calls = "\n".join(
            f'    print("RESULT", {number}, flow_{number}())' for number in range(len(self.flows))
        )
        return "\n\n\n".join([*parts, f'if __name__ == "__main__":\n{calls}\n'])


def program(seed: int, flows: int = 6) -> Program:
    """The program of a seed."""
    made = Program(seed)
    for number in range(flows):
        _Flow(made, random.Random(f"{seed}-{number}"), number).write()
    return made


class _Flow:
    """Writes one pipeline and its steps."""

    def __init__(self, program: Program, choose: random.Random, number: int) -> None:
        self.program = program
        self.choose = choose
        self.prefix = f"f{number}"
        self.lines: list[tuple[str, str]] = []
        self.values: list[str] = []
        self.count = 0

    def write(self) -> None:
        self.make()
        moves = [self.make, self.change, self.wrap, self.pair, self.loop, self.branch, self.file]
        for _ in range(self.choose.randint(1, 5)):
            self.choose.choice(moves)()
        names = ", ".join(self.values)
        tell = self.step(names, f"return [canon(v) for v in ({names},)]")
        self.both(f"return {tell}({names})")
        self.program.flows.append(self.lines)

    def step(self, parameters: str, *body: str) -> str:
        self.count += 1
        name = f"{self.prefix}_step_{self.count}"
        shown = f'print("STEP {name}")' if self.choose.random() < 0.3 else "pass"
        lines = [f"@step\ndef {name}({parameters}):", f"    {shown}", *(f"    {x}" for x in body)]
        self.program.steps.append("\n".join(lines))
        return name

    def name(self) -> str:
        self.count += 1
        return f"v{self.count}"

    def both(self, line: str) -> None:
        self.lines.append((line, line))

    def take(self) -> str:
        """A value that is not used again under this name."""
        return self.values.pop(self.choose.randrange(len(self.values)))

    def keep(self, name: str) -> None:
        self.values.append(name)

    def make(self) -> None:
        name = self.name()
        step = self.step("", f"return {self.choose.choice(VALUES)}")
        self.both(f"{name} = {step}()")
        self.keep(name)

    def change(self) -> None:
        old, new = self.take(), self.name()
        step = self.step("x", "return changed(x)")
        self.both(f"{new} = {step}({old})")
        self.keep(new)

    def wrap(self) -> None:
        old, new = self.take(), self.name()
        wrapped = self.choose.choice(
            ['{"one": x, "other": x}', "[x, x]", "(x, [x])", "Box([x, x])"]
        )
        step = self.step("x", f"return {wrapped}")
        self.both(f"{new} = {step}({old})")
        self.keep(new)

    def pair(self) -> None:
        """Two outputs that share what they hold, and a step that takes both."""
        old, one, other, new = self.take(), self.name(), self.name(), self.name()
        halves = self.step("x", "held = [x]", "return held, {'held': held}")
        joined = self.step(
            "a, b", "a.append(changed(a[0]))", "return canon(b), a is b['held'], len(b['held'])"
        )
        self.both(f"{one}, {other} = {halves}({old})")
        self.both(f"{new} = {joined}({one}, {other})")
        self.keep(new)

    def loop(self) -> None:
        value, item, new = self.take(), self.name(), self.name()
        items = self.choose.choice(["[1, 2, 3]", "['a', 'b']", "[0]", "[{'n': 1}, {'n': 2}]"])
        work = self.step("i, x", "return changed([i, x])")
        gather = self.step("found", "return len(found), found")
        self.lines.append(
            (
                f"{new} = {gather}([{work}({item}, {value}) for {item} in {items}])",
                f"with ParallelFor({items}) as {item}:\n    {new}_each = {work}({item}, {value})\n"
                f"{new} = {gather}(Collected({new}_each))",
            )
        )
        self.keep(new)

    def branch(self) -> None:
        value, new = self.take(), self.name()
        measure = self.step("x", "return len(canon(x))").replace("\n", "")
        self.program.steps[-1] = self.program.steps[-1].replace("(x):", "(x) -> int:")
        yes = self.step("x", "return ['yes', x]")
        no = self.step("x", "return {'no': x}")
        use = self.step("x", "return x")
        bound = self.choose.randint(5, 60)
        self.lines.append(
            (
                f"{new} = {use}({yes}({value}) if {measure}({value}) > {bound} else {no}({value}))",
                f"with If({measure}({value}) > {bound}):\n    {new}_yes = {yes}({value})\n"
                f"with Else():\n    {new}_no = {no}({value})\n"
                f"{new} = {use}(OneOf({new}_yes, {new}_no))",
            )
        )
        self.keep(new)

    def file(self) -> None:
        path, new = self.name(), self.name()
        write = self.step(
            "", f"path = Path('{self.prefix}-{path}.txt')", "path.write_text('line')", "return path"
        )
        read = self.step("p", "return p.name, p.read_text(), p.suffix")
        self.both(f"{path} = {write}()")
        self.both(f"{new} = {read}({path})")
        self.keep(new)


def scripts(first: int, count: int) -> Iterator[Program]:
    """So many programs, from a seed on."""
    return (program(seed) for seed in range(first, first + count))


if __name__ == "__main__":
    import sys

    print(program(int(sys.argv[1])).script(plain=sys.argv[2:] == ["plain"]))
