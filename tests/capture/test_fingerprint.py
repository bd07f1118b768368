"""The same code gives the same fingerprint everywhere; any change gives another one."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from kalelite.capture.code import fingerprint

BASE = '''
import math
RATE = 0.5
TABLE = {"a": 1, "b": [1, 2]}
WORDS = {"x", "y", "z"}
class Model:
    """A model."""
    depth = 3
    def fit(self, x):
        return inner(x) * self.depth
class Small(Model):
    def fit(self, x): return super().fit(x)
def inner(x, power=2):
    return x ** power
def helper(x):
    return Small().fit(x) + inner(x) if x not in {"p", "q"} else 0
def step(x, *, scale=1.0):
    """Does things."""
    def local(y): return y + 1
    if x in WORDS or x in TABLE:
        return helper(x) * RATE
    return [local(i) for i in range(math.floor(scale))]
'''


def digest(text, name="step", **names):
    space = {"__name__": "__main__", **names}
    exec(compile(textwrap.dedent(text), "script.py", "exec"), space)
    return fingerprint(space[name]).digest


SAME = {
    "comments and blank lines": lambda s: s.replace("\ndef", "\n# note\n\n\ndef"),
    "another docstring": lambda s: s.replace("Does things", "Does other things"),
    "no docstrings": lambda s: s.replace('    """Does things."""\n', "").replace(
        '    """A model."""\n', ""
    ),
    "another order of definitions": lambda s: s.replace("RATE = 0.5\n", "") + "\nRATE = 0.5\n",
    "another unused global": lambda s: s + "\nUNUSED = 3\n",
    "layout": lambda s: s.replace("return x ** power", "return (x\n       ** power)"),
    "annotations of nothing": lambda s: s.replace("RATE = 0.5", "RATE: float = 0.5"),
}

OTHER = {
    "the body": lambda s: s.replace("* RATE", "/ RATE"),
    "a constant in the body": lambda s: s.replace("y + 1", "y + 2"),
    "a default": lambda s: s.replace("scale=1.0", "scale=2.0"),
    "the type of a default": lambda s: s.replace("scale=1.0", "scale=1"),
    "a global": lambda s: s.replace("RATE = 0.5", "RATE = 0.25"),
    "the type of a global": lambda s: s.replace("RATE = 0.5", "RATE = True"),
    "a nested part of a global": lambda s: s.replace("[1, 2]", "[1, 3]"),
    "the order of a list": lambda s: s.replace("[1, 2]", "[2, 1]"),
    "the order of keys": lambda s: s.replace('{"a": 1, "b": [1, 2]}', '{"b": [1, 2], "a": 1}'),
    "a set": lambda s: s.replace('"z"}', '"w"}'),
    "a set in the code": lambda s: s.replace('{"p", "q"}', '{"p", "r"}'),
    "a helper": lambda s: s.replace("+ inner(x) if", "- inner(x) if"),
    "a helper of a helper": lambda s: s.replace("x ** power", "x * power"),
    "a default of a helper": lambda s: s.replace("power=2", "power=3"),
    "a method": lambda s: s.replace("* self.depth", "+ self.depth"),
    "a class attribute": lambda s: s.replace("depth = 3", "depth = 4"),
    "a base class": lambda s: s.replace("class Small(Model)", "class Small(Model, dict)"),
    "a name of a parameter": lambda s: s.replace(
        "def step(x, *, scale=1.0)", "def step(x, *, scale=1.0, y=1)"
    ),
    "a called library function": lambda s: s.replace("math.floor", "math.ceil"),
    "a helper that becomes a class": lambda s: (
        s + "\nclass inner:\n    def __new__(c, x): return x ** 2\n"
    ),
}


@pytest.mark.parametrize("change", SAME)
def test_what_does_not_change_behaviour_changes_nothing(change):
    assert SAME[change](BASE) != BASE
    assert digest(SAME[change](BASE)) == digest(BASE)


@pytest.mark.parametrize("change", OTHER)
def test_any_change_of_what_is_reached_shows(change):
    assert OTHER[change](BASE) != BASE
    assert digest(OTHER[change](BASE)) != digest(BASE)


def test_each_change_gives_a_fingerprint_of_its_own():
    seen = {digest(change(BASE)) for change in OTHER.values()}
    assert len(seen) == len(OTHER)


def test_it_is_the_same_in_every_process_for_every_hash_seed(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        BASE + "\nimport enum, dataclasses, functools, re\n"
        "@dataclasses.dataclass\nclass D:\n    x: set\nD1 = D({'q', 'w', 'e'})\n"
        "class E(enum.Enum):\n    A = frozenset('abc'); B = 2; C = 3\n"
        "SETS = {E.B, E.C, None}, {('a', 1), ('b', 2)}, {frozenset('xyz'), frozenset('uvw')}\n"
        "P = functools.partial(step, scale=2.0); R = re.compile('a')\n"
        "def root(): return step, D1, E.A, P, R, SETS, {k: 1 for k in D1.x}\n"
        "if __name__ == '__main__':\n    from kalelite.capture.code import fingerprint; print(fingerprint(root).digest)\n"
    )
    seen = set()
    for seed, folder in (("0", tmp_path), ("1", "/"), ("99", tmp_path)):
        env = {**os.environ, "PYTHONHASHSEED": seed}
        command = [sys.executable, str(script)]
        seen.add(subprocess.check_output(command, env=env, cwd=folder))
    assert len(seen) == 1


OF_LIBRARIES = {
    "torch": """
        import torch
        NET = torch.nn.Linear(2, 2)
        torch.nn.init.constant_(NET.weight, 3); torch.nn.init.constant_(NET.bias, 1)
        def step(): return NET
        """,
    "pydantic": """
        from pydantic import BaseModel, Field
        class Part(BaseModel):
            tags: set[str] = {"a", "b", "c"}
        class Order(BaseModel):
            amount: int = Field(3, gt=0)
            parts: list[Part] = []
        def step(): return Order().amount
        """,
    "numba": """
        import numba
        @numba.njit
        def fast(x): return x + 3
        def step(): return fast(1)
        """,
}


@pytest.mark.parametrize("library", OF_LIBRARIES)
def test_what_libraries_make_of_the_script_counts_by_content(tmp_path, library):
    pytest.importorskip(library)
    text = textwrap.dedent(OF_LIBRARIES[library])
    ending = "\nfrom kalelite.capture.code import fingerprint; print(fingerprint(step).digest)\n"

    def run(text, seed):
        script = tmp_path / "script.py"
        script.write_text(text + ending)
        env = {**os.environ, "PYTHONHASHSEED": seed}
        return subprocess.check_output([sys.executable, str(script)], env=env)

    before = run(text, "1")
    assert run("# A comment\n" + text, "2") == before
    assert run(text.replace("3", "4"), "1") != before


def test_cycles_of_functions_classes_and_values_end():
    text = """
        def even(n): return n == 0 or odd(n - 1)
        def odd(n): return n != 0 and even(n - 1)
        class Node:
            def make(self): return Node()
        Node.again = Node
        A = []; A.append(A); B = {"a": A}; A.append(B)
        N = Node(); N.self = N
        def make():
            def inner(n): return inner(n - 1) if n else A
            return inner
        REC = make()
        def step(): return even(3), Node, B, N, REC
    """
    assert digest(text) == digest(text)
    assert digest(text.replace('"a": A', '"b": A')) != digest(text)


def test_arrays_count_by_content():
    numpy = pytest.importorskip("numpy")
    text = "def step(): return W"
    one = digest(text, W=numpy.arange(6.0))
    assert digest(text, W=numpy.arange(6.0)) == one
    assert digest(text, W=numpy.arange(6.0)[::-1][::-1]) == one
    assert digest(text, W=numpy.arange(6.0) + 1) != one
    assert digest(text, W=numpy.arange(6.0).reshape(2, 3)) != one
    assert digest(text, W=numpy.arange(6.0).astype("f4")) != one
    assert digest(text, W=numpy.array([1, "a"], object)) != digest(
        text, W=numpy.array([1, "b"], object)
    )


def test_tables_and_models_count_by_content():
    pandas = pytest.importorskip("pandas")
    text = "def step(): return W"
    frame = pandas.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    assert digest(text, W=frame) == digest(text, W=frame.copy())
    assert digest(text, W=frame) != digest(text, W=frame.assign(a=[1, 3]))


def test_tensors_count_by_content():
    torch = pytest.importorskip("torch")
    text = "def step(): return W"
    base = torch.arange(10.0)
    assert digest(text, W=base[2:4].clone()) == digest(text, W=torch.tensor([2.0, 3.0]))
    assert digest(text, W=base[2:4]) != digest(text, W=base[3:5])


def test_closures_and_their_values_count():
    text = """
        def make(k):
            def step(): return k
            return step
        step = make({0})
    """
    assert digest(text.format(1)) != digest(text.format(2))


WRAPPED = {
    "contextmanager": """
        import contextlib
        @contextlib.contextmanager
        def inner(x): yield x + 1
        def step(x):
            with inner(x) as y: return y
        """,
    "singledispatch": """
        import functools
        @functools.singledispatch
        def inner(x): return x
        @inner.register
        def other(x: int): return x + 1
        def step(x): return inner(x)
        """,
}


@pytest.mark.parametrize("name", WRAPPED)
def test_what_a_library_s_decorator_has_wrapped_counts(name):
    text = WRAPPED[name]
    assert digest(text) == digest(text)
    assert digest(text.replace("x + 1", "x + 2")) != digest(text)


class Files:
    """A folder of modules that are imported anew in a process of their own each time."""

    def __init__(self, folder):
        self.folder = folder

    def digest(self, **files):
        for name, text in files.items():
            (self.folder / f"{name}.py").write_text(textwrap.dedent(text))
        code = (
            f"import sys; sys.path.insert(0, {str(self.folder)!r}); sys.dont_write_bytecode = True\n"
            "import script; from kalelite.capture.code import fingerprint; print(fingerprint(script.step).digest)"
        )
        return subprocess.check_output([sys.executable, "-c", code])


EACH = """
import importlib, pathlib, sys
sys.dont_write_bytecode = True
from kalelite.capture.code import fingerprint
for folder in sys.argv[1:]:
    sys.path.insert(0, folder)
    importlib.invalidate_caches()
    imported = fingerprint(importlib.import_module("script").step).digest
    names = {"__name__": "__main__"}
    exec(pathlib.Path(folder, "script.py").read_text(), names)
    print(imported, fingerprint(names["step"]).digest)
    sys.path.remove(folder)
    for name in {"script", "lib", "outer"}.intersection(sys.modules):
        del sys.modules[name]
"""


def digests(folder, *variants):
    """The fingerprint of each variant of a script, as a module and as ``__main__``."""
    for number, files in enumerate(variants):
        (folder / str(number)).mkdir()
        for name, text in files.items():
            (folder / str(number) / f"{name}.py").write_text(text)
    folders = [str(folder / str(number)) for number in range(len(variants))]
    done = subprocess.check_output([sys.executable, "-c", EACH, *folders], text=True)
    return [tuple(line.split()) for line in done.splitlines()]


HELPERS = """
    import deep
    LIMIT = 3
    def used(x): return deep.low(x) + LIMIT
    def unused(x): return x
    if __name__ == "__main__":
        print("run")
"""
DEEP = "def low(x): return x * 2\ndef other(): pass\n"
MAIN = "import helpers\ndef step(x): return helpers.used(x)\n"


@pytest.mark.parametrize(
    ("file", "old", "new", "same"),
    [
        ("helpers", "x) + LIMIT", "x) - LIMIT", False),
        ("helpers", "LIMIT = 3", "LIMIT = 4", False),
        ("helpers", "LIMIT = 3", "LIMIT = 3\n    import random; random.seed(1)", False),
        ("deep", "x * 2", "x * 3", False),
        ("helpers", "return x\n", "return -x\n", True),
        ("deep", "other(): pass", "other(): return 1", True),
        ("helpers", "import deep\n", "import deep  # low\n\n", True),
        ("helpers", 'print("run")', 'print("walk")', True),
    ],
)
def test_local_modules_count_as_far_as_they_are_reached(tmp_path, file, old, new, same):
    files = Files(tmp_path)
    texts = {"script": MAIN, "helpers": HELPERS, "deep": DEEP}
    before = files.digest(**texts)
    assert old in texts[file]
    texts[file] = texts[file].replace(old, new)
    assert (files.digest(**texts) == before) is same


def test_a_module_imported_in_the_body_counts(tmp_path):
    files = Files(tmp_path)
    main = "def step(x):\n    from late import value\n    return value\n"
    before = files.digest(script=main, late="value = 1\n")
    assert files.digest(late="value = 2\n") != before
    assert files.digest(late="value = 1  # one\n") == before


@pytest.mark.parametrize(("call", "same"), [("print", True), ("eval", False)])
def test_a_step_that_a_text_names_counts_where_texts_are_read(call, same):
    text = f"""
        from kalelite import step as decorated
        @decorated
        def train(): return 1
        def step(): return {call}("train()")
    """
    assert (digest(text) == digest(text.replace("return 1", "return 2"))) is same


def test_two_functions_with_one_name_are_two():
    text = """
        def f(): return 1
        g = f
        def f(): return {}
        def step(): return f(), g()
    """
    assert digest(text.format(2)) != digest(text.format(3))


def test_a_class_inside_a_function_may_be_documented():
    text = """
        def step(x):
            class Local:
                {doc}
                table = [i for i in range(3) if i]
                def get(self):
                    try: return self.table[x]
                    except IndexError: return None
            return Local().get()
    """
    plain = digest(text.format(doc="depth = 1"))
    assert digest(text.format(doc='"""Says it."""\n                depth = 1')) == plain
    assert digest(text.format(doc="depth = 2")) != plain


CHANGES_THAT_ONCE_HIT = {
    "the name of a keyword argument": ("def step(): return dict(x=1)", "x=1", "y=1"),
    "the names of two keyword arguments": (
        "def step(): return max(1, key=a, default=b)",
        "key=a, default=b",
        "default=a, key=b",
    ),
    "a keyword of a method": ("def step(d): return d.update(x=1)", "x=1", "y=1"),
    "a keyword of a class": ("def step():\n class A(B, x=1): pass", "x=1", "y=1"),
    "the order of a dict in the code": (
        "def step(): return {'a': 1, 'b': 2}",
        "'a': 1, 'b': 2",
        "'b': 2, 'a': 1",
    ),
    "the order of a global dict": (
        "D = {'a': 1, 'b': 2}\ndef step(): return D",
        "'a': 1, 'b': 2",
        "'b': 2, 'a': 1",
    ),
    "a docstring that the code reads": (
        "def f():\n 'one'\ndef step(): return f.__doc__",
        "'one'",
        "'two'",
    ),
    "a docstring found by name": (
        "class A:\n 'one'\ndef step(): return getattr(A, '__doc__')",
        "'one'",
        "'two'",
    ),
    "the docstring of the module": ("'one'\ndef step(): return __doc__", "'one'", "'two'"),
    "a docstring that a library reads": (
        "import string\nclass A(string.Formatter):\n 'one'\ndef step(): return A",
        "'one'",
        "'two'",
    ),
    "a docstring that a decorator takes": (
        "def tool(f): return {'f': f}\n@tool\ndef g():\n 'one'\ndef step(): return g",
        "'one'",
        "'two'",
    ),
    "annotations of a class": (
        "class A:\n x: int\ndef step(): return A.__annotations__",
        "int",
        "float",
    ),
    "annotations of a function": (
        "def f(x: int): pass\ndef step(): return f.__annotations__",
        "int",
        "float",
    ),
    "whether two globals are one object": (
        "A = []\nB = A\ndef step(): A.append(1); return B",
        "B = A",
        "B = []",
    ),
    "a set of sets and tuples": (
        "S = {(1, 'a'), frozenset({'b', 'c'})}\ndef step(): return S",
        "'c'",
        "'d'",
    ),
    "a frozen set": ("S = frozenset({'a', 'b'})\ndef step(): return S", "'b'", "'c'"),
}


@pytest.mark.parametrize("change", CHANGES_THAT_ONCE_HIT)
def test_what_the_code_can_see_counts(change):
    text, old, new = CHANGES_THAT_ONCE_HIT[change]
    names = {"a": 1, "b": 2, "B": dict}
    assert old in text
    assert digest(text, **names) == digest(text, **names)
    assert digest(text.replace(old, new), **names) != digest(text, **names)


WAYS_TO_A_MODULE = {
    "in a dict": "import lib\nT = {'l': lib}\ndef step(): return T['l'].f()",
    "in a closure": "import lib\ndef make(m):\n def step(): return m.f()\n return step\nstep = make(lib)",
    "as a default": "import lib\ndef step(m=lib): return m.f()",
    "by getattr": "import lib\nN = 'f'\ndef step(): return getattr(lib, N)()",
    "by vars": "import lib\nN = 'f'\ndef step(): return vars(lib)[N]()",
    "by __dict__": "import lib\nN = 'f'\ndef step(): return lib.__dict__[N]()",
    "given to a function": "import lib\ndef call(m): return m.f()\ndef step(): return call(lib)",
    "given to a library": "import lib, operator\nGET = operator.attrgetter('f')\ndef step(): return GET(lib)()",
    "imported in the body": "def step():\n import lib\n m = lib\n return getattr(m, 'f')()",
    "imported by a name": "import importlib\ndef step(): return importlib.import_module('lib').f()",
    "imported by a global name": "import importlib\nN = 'lib'\ndef step(): return importlib.import_module(N).f()",
    "imported by a name in a table": "import importlib\nT = {'x': ['lib']}\ndef step(): return importlib.import_module(T['x'][0]).f()",
    "imported by an argument": "import importlib, lib\ndef step(n): return importlib.import_module(n).f()",
    "within another module": "import outer\nN = 'f'\ndef step(): return getattr(outer.lib, N)()",
    "by a function of another module": "import outer\ndef step(): return outer.call('f')",
    "by a plain name": "from lib import f\ndef step(): return f()",
    "by another name": "from lib import f as g\ndef step(): return g()",
    "by a class": "from lib import C\ndef step(): return C().m()",
    "by an instance": "from lib import C\nI = C()\ndef step(): return I.m()",
    "by evaluation": "import lib\ndef step(): return eval('m.f()', {'m': lib})",
}


@pytest.mark.parametrize("way", WAYS_TO_A_MODULE)
def test_code_of_a_local_module_counts_however_it_is_reached(tmp_path, way):
    lib = "def g(): return 1\ndef f(): return g()\nclass C:\n    def m(self): return g()\n"
    outer = "import lib\ndef call(name): return getattr(lib, name)()\n"
    program = {"script": WAYS_TO_A_MODULE[way], "lib": lib, "outer": outer}
    comment = program | {"lib": lib + "# the end"}
    change = program | {"lib": lib.replace("return 1", "return 2")}
    before, same, other = digests(tmp_path, program, comment, change)
    assert same == before
    assert set(other).isdisjoint(before)


UNNAMED = {
    "__getattr__ of a module": ("outer.any()", "def __getattr__(name): return lambda: 1"),
    "a registered class": (
        "outer.known[0]().m()",
        "class Hidden(Base):\n    def m(self): return 1",
    ),
    "a subclass": (
        "outer.Plain.__subclasses__()[0]().m()",
        "class Hidden(Plain):\n    def m(self): return 1",
    ),
    "a decorated function": ("outer.known[0]()", "@known.append\ndef hidden(): return 1"),
    "a default that is computed": ("outer.known[0]", "def hidden(x=known.append(1)): pass"),
    "a class body": ("outer.known[0]", "class Hidden:\n    known.append(1)"),
}


@pytest.mark.parametrize("what", UNNAMED)
def test_definitions_that_nobody_names_count_if_they_may_run(tmp_path, what):
    use, definition = UNNAMED[what]
    outer = f"""
known = []
class Base:
    def __init_subclass__(cls): known.append(cls)
class Plain: pass
{definition}
"""
    program = {"script": f"import outer\ndef step(): return {use}", "outer": outer}
    change = program | {"outer": outer.replace("1", "2")}
    before, other = digests(tmp_path, program, change)
    assert set(other).isdisjoint(before)


def test_a_module_counts_by_its_content_not_by_its_time(tmp_path):
    files = Files(tmp_path)
    before = files.digest(
        script="def step():\n    from settings import LIMIT\n    return LIMIT\n",
        settings="LIMIT = 3\n",
    )
    os.utime(tmp_path / "settings.py", (0, 0))
    assert files.digest() == before


def test_the_file_that_a_path_names_counts(tmp_path):
    data = tmp_path / "data.csv"
    text = f"import pathlib\nP = pathlib.Path({str(data)!r})\ndef step(): return P.read_text()"
    absent = digest(text)
    data.write_text("1")
    first = digest(text)
    data.write_text("2")
    second = digest(text)
    data.write_text("1")
    assert digest(text) == first
    assert len({absent, first, second}) == 3


def test_a_path_to_what_is_no_file_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", "/dev/zero"):
        assert digest(f"import pathlib\nP = pathlib.Path({str(path)!r})\ndef step(): return P")


def test_each_part_has_a_digest_by_its_name():
    def parts(text):
        space = {"__name__": "__main__"}
        exec(compile(textwrap.dedent(text), "script.py", "exec"), space)
        return fingerprint(space["step"]).parts

    before, after = parts(BASE), parts(BASE.replace("RATE = 0.5", "RATE = 0.25"))
    assert [name for name in before if before[name] != after[name]] == ["global RATE"]
    assert {"function step", "function helper", "class Small", "class Model"} < set(before)


UNKNOWN_PYTHON = """
import sys
import asyncio, cloudpickle, kalelite.plan.graph, kalelite.marshal.registry
real = sys.version_info
class Version(tuple):
    major, minor, micro = 3, 99, 0
sys.version_info = Version((3, 99, 0, "final", 0))
import kalelite.capture.bytecode
sys.version_info = real
import script
from kalelite.capture.code import capture, fingerprint
from kalelite.capture.load import CodeReader
sys.path.append({here!r})
from capture_harness import steps_of
files = capture(steps_of([script.step])).files()
digest = fingerprint(script.step).digest
print(CodeReader(files.__getitem__).function("step")(3), digest)
"""


def test_on_an_unknown_version_of_python_nothing_is_missed(tmp_path):
    """Names and imports that the code may use all travel, and every change shows."""
    text = "import lib\nK = 1\ndef helper(x): return x + K\ndef step(x):\n    from late import V\n    return helper(x) + lib.f() + V\n"
    files = {"script": text, "lib": "def f(): return 10\n", "late": "V = 100\n"}
    code = UNKNOWN_PYTHON.format(here=str(Path(__file__).parent))

    def run():
        for name, content in files.items():
            (tmp_path / f"{name}.py").write_text(content)
        command = [sys.executable, "-Bc", code]
        return subprocess.check_output(command, text=True, cwd=tmp_path).split()

    value, before = run()
    assert value == "114"
    assert run() == [value, before]
    for name, old, new in (
        ("script", "x + K", "x - K"),
        ("script", "K = 1", "K = 2"),
        ("lib", "10", "20"),
        ("late", "100", "200"),
    ):
        original = files[name]
        files[name] = original.replace(old, new)
        changed_value, changed = run()
        assert changed_value != value
        assert changed != before
        files[name] = original
