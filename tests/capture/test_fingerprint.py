"""The same code gives the same fingerprint everywhere; any change gives another one."""

import os
import subprocess
import sys
import textwrap

import pytest

from kalelite.capture.fingerprint import fingerprint

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
    return fingerprint(space[name])


SAME = {
    "comments and blank lines": lambda s: s.replace("\ndef", "\n# note\n\n\ndef"),
    "another docstring": lambda s: s.replace("Does things", "Does other things"),
    "no docstrings": lambda s: s.replace('    """Does things."""\n', "").replace(
        '    """A model."""\n', ""
    ),
    "another order of definitions": lambda s: s.replace("RATE = 0.5\n", "") + "\nRATE = 0.5\n",
    "another order of keys": lambda s: s.replace('{"a": 1, "b": [1, 2]}', '{"b": [1, 2], "a": 1}'),
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
        "class E(enum.Enum):\n    A = frozenset('abc')\n"
        "P = functools.partial(step, scale=2.0); R = re.compile('a')\n"
        "def root(): return step, D1, E.A, P, R, {k: 1 for k in D1.x}\n"
        "if __name__ == '__main__':\n    from kalelite.capture.fingerprint import fingerprint; print(fingerprint(root))\n"
    )
    seen = set()
    for seed, folder in (("0", tmp_path), ("1", "/"), ("99", tmp_path)):
        env = {**os.environ, "PYTHONHASHSEED": seed}
        command = [sys.executable, str(script)]
        seen.add(subprocess.check_output(command, env=env, cwd=folder))
    assert len(seen) == 1


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
    assert digest(text, W=base[2:4]) == digest(text, W=torch.tensor([2.0, 3.0]))
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
            "import script; from kalelite.capture.fingerprint import fingerprint; print(fingerprint(script.step))"
        )
        return subprocess.check_output([sys.executable, "-c", code])


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
