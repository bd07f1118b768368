"""Random small programs: steps that make, change, share, return and print values of many kinds.

A program is a script with several pipelines; plain Python reads their blocks as
`plain_blocks.plainly` writes them. A step that changes a value returns it, and the old name is not
used again: steps own their inputs.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path

PRELUDE = (Path(__file__).parent / "generated_prelude.py").read_text("utf-8")

VALUES = (
    "7",
    "-3.5",
    "float('nan')",
    "10**30",
    "True",
    "None",
    "...",
    "'text with \\u00e9 and \\U0001f600'",
    "'lone \\ud800'",
    "'x' * 100_000",
    "b'bytes'",
    "b'0123' * 30_000",
    "bytearray(b'ab')",
    "array('d', [1.5, 2])",
    "complex(1, -0.0)",
    "(1, 'two', [3])",
    "[1, [2, [3]]]",
    "[]",
    "deep(300)",
    "{'b': 1, 'a': [2]}",
    "{3: 'three', (1, 2): {'x'}, None: 0, Key('k'): 1}",
    "{'red', 'green'}",
    "frozenset({1, 2})",
    "range(3)",
    "Point(1, [2])",
    "Place(x=1, name='there')",
    "[Key('b', 2), Key('a')]",
    "Pair('left', [1])",
    "Row(3, ['t'])",
    "Colour.RED",
    "[Colour.RED, Colour.CRIMSON]",
    "Mode.READ | Mode.WRITE",
    "{Mode.BOTH: Mode(0)}",
    "Slotted(5)",
    "Slotted([Slotted(1)])",
    "Account(10)",
    "[Double(), Half()]",
    "dict(Plugin.known)",
    "Form()",
    "Form",
    "Holder[int]([1])",
    "Words('a', 'b', name='letters')",
    "Table(a=1)",
    "Lazy.ready(4)",
    "Lazy(3).bound",
    "Wrong('what', code=3)",
    "types.SimpleNamespace(a=[1], b=len)",
    "functools.partial(scaled, by=3)",
    "re.compile('a+', re.I)",
    "datetime(2024, 2, 29, 12, tzinfo=timezone.utc)",
    "[date(2024, 1, 1), timedelta(days=1)]",
    "Decimal('1.10')",
    "Fraction(2, 3)",
    "UUID(int=5)",
    "OrderedDict(b=1, a=2)",
    "defaultdict(list, a=[1])",
    "Counter('abca')",
    "ChainMap({'a': 1}, {'b': 2})",
    "deque([1, 2], maxlen=3)",
    "ValueError('wrong', 3)",
    "np.arange(6).reshape(2, 3)",
    "np.arange(20_000)",
    "[np.ones(10_000)] * 3",
    "np.asfortranarray(np.arange(12_000.0).reshape(100, 120))",
    "np.array([1.5, np.nan], dtype='float32')",
    "np.array([(1, 'a')], dtype=[('n', 'i4'), ('s', 'U3')])",
    "np.array(['2024-01-01'], dtype='datetime64[D]')",
    "np.float64(2.5)",
    "np.array(['a', None], dtype=object)",
    "np.ma.array([1, 2], mask=[True, False])",
    "np.zeros((0, 3))",
    "[np.arange(3)] * 2",
    "np.random.default_rng(3)",
    "random.Random(4)",
    "adder(3)",
    "[adder(n) for n in range(3)]",
    "counter()",
    "scaled(2)",
    "[fib(20), kind_of([1, ['a']])]",
    "copy.deepcopy(LIMITS)",
    "FACTOR * 2",
    "globals()['FACTOR']",
    "Path('not') / 'there'",
    "slice(1, 2)",
    "Box(Box(None))",
    "[int, len, Colour, np.float32]",
)
OPTIONS = ("", "", "", "", "(retries=1)", "(timeout=60)", "(cache=True)", "(env={'A': '1'})")


@dataclass
class Program:
    """A generated script: its steps and pipelines, and the calls of these."""

    seed: int
    leaves: bool
    parts: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)

    def script(self) -> str:
        """The text."""
        calls = "\n".join(f"    {line}" for line in self.calls)
        return "\n\n\n".join([PRELUDE, *self.parts, f'if __name__ == "__main__":\n{calls}\n'])


def program(seed: int, flows: int = 6, *, leaves: bool = True) -> Program:
    """The program of a seed; ``leaves``: values may leave exit handlers, not so on Kubeflow."""
    made = Program(seed, leaves)
    for number in range(flows):
        _Flow(made, random.Random(f"{seed}-{number}"), number).write()
    return made


class _Flow:
    """Writes one pipeline and its steps."""

    def __init__(self, program: Program, choose: random.Random, number: int) -> None:
        self.program = program
        self.choose = choose
        self.number = number
        self.lines: list[str] = []
        self.values: list[str] = []
        self.count = 0

    def write(self) -> None:
        self.make()
        moves = [
            *(self.make, self.change, self.change, self.wrap, self.share, self.closures),
            *(self.loop, self.loops, self.found_items, self.unrolled, self.branch, self.some),
            *(self.file, self.folder, self.files_of_items, self.nested, self.handled, self.signature),
        ]  # fmt: skip
        for _ in range(self.choose.randint(1, 5)):
            self.choose.choice(moves)()
        if not self.values:
            self.make()
        names = ", ".join(self.values)
        fails = self.choose.random() < 0.08
        end = "raise Wrong('at the end')" if fails else f"return [canon(v) for v in ({names},)]"
        tell = self.step(names, end)
        taken = self.choose.choice([f"return {tell}({names})", f"value = {tell}({names})"])
        self.lines += [taken, *(["return value"] if taken.startswith("value") else [])]
        name = f"flow_{self.number}"
        self.program.parts.append(self.pipeline(name, "", self.lines))
        if fails:
            shown = f'print("RESULT", {self.number}, "failed")'
            self.program.calls += [
                "try:", f"    {name}()", "except Exception:", f"    {shown}",
            ]  # fmt: skip
        else:
            self.program.calls.append(f'print("RESULT", {self.number}, {name}())')

    def pipeline(self, name: str, parameters: str, lines: list[str]) -> str:
        body = [f"    {inner}" for line in lines for inner in line.splitlines()]
        return "\n".join([f"@pipeline\ndef {name}({parameters}):", *body])

    def step(self, parameters: str, *body: str, returns: str = "") -> str:
        self.count += 1
        name = f"f{self.number}_step_{self.count}"
        shown = f'print("STEP {name}")' if self.choose.random() < 0.3 else "pass"
        arrow = f" -> {returns}" if returns else ""
        lines = [f"    {line}" for line in (shown, *body)]
        option = self.choose.choice(OPTIONS)
        if "retries" in option and any(line.startswith("raise") for line in body):
            option = ""  # plain Python prints what it prints once
        head = f"@step{option}\ndef {name}({parameters}){arrow}:"
        self.program.parts.append("\n".join([head, *lines]))
        return name

    def name(self) -> str:
        self.count += 1
        return f"v{self.count}"

    def take(self) -> str:
        """A value that is not used again under this name."""
        if not self.values:
            self.make()
        return self.values.pop(self.choose.randrange(len(self.values)))

    def keep(self, line: str, *names: str) -> None:
        self.lines.append(line)
        self.values += names

    def value(self) -> str:
        return self.choose.choice(VALUES)

    def make(self) -> None:
        new = self.name()
        self.keep(f"{new} = {self.step('', f'return {self.value()}')}()", new)

    def change(self) -> None:
        old, new = self.take(), self.name()
        self.keep(f"{new} = {self.step('x', 'return changed(x)')}({old})", new)

    def wrap(self) -> None:
        old, new = self.take(), self.name()
        wrapped = self.choose.choice(
            ["twice(x)", "[x, x]", "(x, [x])", "Box([x, x])", "Holder(x)", "Row(1, [x, x])"]
        )
        step = self.step("x", f"return {wrapped}")
        part = {"twice(x)": "['other'][0]", "[x, x]": "[1]", "(x, [x])": "[1][0]"}.get(wrapped, "")
        self.keep(f"{new} = {step}({old}){self.choose.choice(['', part])}", new)

    def share(self) -> None:
        """Two outputs that share what they hold, and a step that takes both."""
        old, one, other, new = self.take(), self.name(), self.name(), self.name()
        halves = self.step("x", "held = [x]", "return held, {'held': held}")
        joined = self.step(
            "a, b", "a.append(changed(a[0]))", "return canon(b), a is b['held'], len(b['held'])"
        )
        self.lines.append(f"{one}, {other} = {halves}({old})")
        self.keep(f"{new} = {joined}({one}, {other})", new)

    def closures(self) -> None:
        """Two outputs that share a variable."""
        add, get, new = self.name(), self.name(), self.name()
        halves = self.step("", "add, get = counter()", "add()", "return add, get")
        joined = self.step("add, get", "return add(), add(), get()")
        self.lines.append(f"{add}, {get} = {halves}()")
        self.keep(f"{new} = {joined}({add}, {get})", new)

    def loop(self) -> None:
        value, item, each, new = self.take(), self.name(), self.name(), self.name()
        items = self.choose.choice(["[1, 2, 3]", "['a', 'b']", "[0]", "[{'n': 1}, {'n': 2}]", "[]"])
        work, more = self.step("i, x", "return changed([i, x])"), self.step("x", "return len(x), x")
        gather = self.step("found", "return len(found), found")
        self.lines += [
            f"with ParallelFor({items}) as {item}:",
            f"    {each}_1 = {work}({item}, {value})\n    {each} = {more}({each}_1)",
        ]
        part = self.choose.choice(["", "[1]"])
        self.keep(f"{new} = {gather}(Collected({each}{part}))", new)

    def loops(self) -> None:
        value, new = self.take(), self.name()
        upto = self.step("n", "return list(range(n))", returns="list[int]")
        work, gather = self.step("i, j, x", "return i, j, x"), self.step("rows", "return rows")
        inner, outer = f"{new}_inner", f"{new}_outer"
        self.lines.append(
            f"with ParallelFor([1, 3]) as {outer}:\n"
            f"    with ParallelFor({upto}({outer})) as {inner}:\n"
            f"        {new}_each = {work}({outer}, {inner}, {value})\n"
            f"    {new}_row = {gather}(Collected({new}_each))"
        )
        every = self.choose.choice(["each", "row"])
        self.keep(f"{new} = {gather}(Collected({new}_{every}))", new)

    def found_items(self) -> None:
        new = self.name()
        items = self.choose.choice(["['x', 'x', 'y']", "[FACTOR, 2]", "[[1], [2, 3]]"])
        find = self.step("", f"return {items}", returns="list")
        work, gather = self.step("i", "return [i, i]"), self.step("rows", "return rows")
        self.lines.append(
            f"with ParallelFor({find}(), parallelism=2) as {new}_item:\n"
            f"    {new}_each = {work}({new}_item)"
        )
        self.keep(f"{new} = {gather}(Collected({new}_each))", new)

    def unrolled(self) -> None:
        value, new = self.take(), self.name()
        work = self.step("x, n=1, *rest", "return [x, n, *rest]")
        self.keep(f"{new} = [{work}({value}, n, 'r') for n in range(3)]", new)

    def branch(self) -> None:
        value, new = self.take(), self.name()
        measure = self.step("x", "return len(canon(x))", returns="int")
        yes, no = self.step("x", "return ['yes', x]"), self.step("x", "return {'no': x}")
        use = self.step("x", "return x")
        low, high = sorted((self.choose.randint(5, 60), self.choose.randint(5, 60)))
        self.lines.append(
            f"{new}_size = {measure}({value})\n"
            f"with If(({new}_size > {high}) & ({new}_size != 50)):\n    {new}_a = {yes}({value})\n"
            f"with Elif(~({new}_size > {low})):\n    {new}_b = {yes}({value})\n"
            f"with Else():\n    {new}_c = {no}({value})"
        )
        self.keep(f"{new} = {use}(OneOf({new}_a, {new}_b, {new}_c))", new)

    def some(self) -> None:
        """Items that skip a step."""
        value, new = self.take(), self.name()
        work, gather = self.step("i, x", "return i, x"), self.step("found", "return found")
        self.lines.append(
            f"with ParallelFor([1, 2, 3]) as {new}_item:\n    with If({new}_item != 2):\n"
            f"        {new}_each = {work}({new}_item, {value})"
        )
        self.keep(f"{new} = {gather}(Collected({new}_each))", new)

    def file(self) -> None:
        path, new = self.name(), self.name()
        write = self.step(
            "", f"path = Path('f{self.number}-{path}.txt')", "path.write_text('line')", "return path"
        )  # fmt: skip
        edit = self.step("p", "p.write_text(p.read_text() + 'more')", "return {'path': p}")
        read = self.step("p", "p = p['path']", "return p.name, p.read_text(), p.suffix")
        self.lines += [f"{path} = {write}()", f"{path}_2 = {edit}({path})"]
        self.keep(f"{new} = {read}({path}_2)", new)

    def folder(self) -> None:
        path, new = self.name(), self.name()
        make = self.step(
            "",
            f"path = Path('f{self.number}-{path}')",
            "(path / 'in' / 'empty').mkdir(parents=True)",
            "(path / 'a.txt').write_text('a')",
            "(path / 'in' / 'b.txt').write_text('b')",
            "return path, path / 'in' / 'b.txt'",
        )
        edit = self.step(
            "p", "(p / 'a.txt').unlink()", "(p / 'in' / 'c.txt').write_text('c')", "return p / 'in'"
        )
        read = self.step(
            "p, b", "return sorted((f.name, f.is_dir()) for f in p.rglob('*')), b.read_text()"
        )
        self.lines += [f"{path}, {path}_b = {make}()", f"{path}_2 = {edit}({path})"]
        self.keep(f"{new} = {read}({path}_2, {path}_b)", new)

    def files_of_items(self) -> None:
        new = self.name()
        write = self.step(
            "i", f"p = Path(f'f{self.number}-{new}-{{i}}.txt')", "p.write_text(f'{i}')", "return p"
        )
        read = self.step("paths", "return [(p.name, p.read_text()) for p in paths]")
        self.lines.append(
            f"with ParallelFor([1, 2]) as {new}_item:\n    {new}_each = {write}({new}_item)"
        )
        self.keep(f"{new} = {read}(Collected({new}_each))", new)

    def nested(self) -> None:
        """A pipeline in a pipeline, once or in a loop."""
        value, new, name = self.take(), self.name(), f"part_{self.number}_{self.count}"
        first, second = (
            self.step("x, n", "return [x, n]"),
            self.step("x", "return canon(x), len(x)"),
        )
        lines = [f"a = {first}(x, n)", f"b, c = {second}(a)", "return {'b': b, 'c': c}, a"]
        self.program.parts.append(self.pipeline(name, "x, n: int = 2", lines))
        if self.choose.random() < 0.5:
            self.keep(f"{new}, {new}_a = {name}({value})", new, f"{new}_a")
            return
        gather = self.step("found, a", "return found, a")
        self.lines.append(
            f"with ParallelFor([1, 2]) as {new}_item:\n"
            f"    {new}_each, {new}_a = {name}({value}, n={new}_item)"
        )
        self.keep(f"{new} = {gather}(Collected({new}_each['b']), Collected({new}_a))", new)

    def handled(self) -> None:
        """Values out of an exit handler's block."""
        value, new = self.take(), self.name()
        clean = self.step("what", f'print("STEP cleaned {new}", what)')
        work, more = self.step("x", "return changed(x)"), self.step("x", "return [x, x]")
        self.lines.append(
            f"with ExitHandler({clean}('all')):\n"
            f"    {new}_1 = {work}({value})\n    {new} = {more}({new}_1)"
        )
        self.values += [new] if self.program.leaves else []

    def signature(self) -> None:
        """Arguments of all kinds, constants and packs among them."""
        one, other, new = self.take(), self.take(), self.name()
        step = self.step(
            "a, /, b, *more, c=FACTOR, **named", "return canon([a, b, more, c, named]), [b]"
        )
        constant = self.choose.choice(["LIMITS", "{'k': (1, None)}", "Colour.RED", "Point(4)"])
        self.keep(
            f"{new} = {step}({one}, [{other}, {constant}], 1, d={{'v': 2}}, e={constant})", new
        )


if __name__ == "__main__":
    import sys

    print(program(*map(int, sys.argv[1:])).script())
