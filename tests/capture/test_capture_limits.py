"""What cannot travel is refused by name, with the lines of its use and its assignment."""

import linecache
import sys
import textwrap
import threading
import types

import pytest
from capture_harness import steps_of

from kalelite.capture.code import Code, capture
from kalelite.errors import CaptureError

SCRIPTS = iter(range(10_000))


def script(text, **more):
    """The globals of a script that has just run, as ``__main__`` of its own."""
    text = textwrap.dedent(text)
    file = f"/nowhere/script{next(SCRIPTS)}.py"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    names = {"__name__": "__main__", "__file__": file, **more}
    exec(compile(text, file, "exec"), names)
    return names


def refusal(names, *steps, **settings):
    with pytest.raises(CaptureError) as caught:
        capture(steps_of([names[step] for step in steps]), **settings)
    return caught.value


CASES = {
    "an open file": "import tempfile; X = tempfile.TemporaryFile()",
    "a lock": "import threading; X = threading.Lock()",
    "a socket": "import socket; X = socket.socket()",
    "a generator": "X = (i for i in range(3))",
    "a thread": "import threading; X = threading.Thread()",
    "a database connection": "import sqlite3; X = sqlite3.connect(':memory:')",
    "a context variable": "import contextvars; X = contextvars.ContextVar('x')",
}


@pytest.mark.parametrize("words", CASES)
def test_an_impossible_global_is_refused_in_words(words):
    names = script(f"{CASES[words]}\ndef one():\n    return X\n")
    problem = refusal(names, "one").problems[0]
    assert "the global 'X' that step 'one' uses cannot travel to a step" in problem.message
    assert words in problem.message
    if hasattr(names["X"], "close"):
        names["X"].close()


def test_the_lines_of_use_and_assignment_are_told():
    names = script(
        """
        import threading
        guard = threading.Lock()
        def helper(x):
            with guard:
                return x
        def one():
            return helper(1)
        """
    )
    error = refusal(names, "one")
    problem = error.problems[0]
    assert problem.where.line == 5
    assert "guard is assigned on line 3" in problem.message
    if sys.version_info >= (3, 11):
        assert problem.where.render().splitlines()[1].strip(" |") == "^^^^^"


def test_the_place_inside_a_global_is_told():
    names = script(
        """
        import threading
        class Pool: pass
        P = Pool(); P.parts = [{"a": 1}, {"lock": threading.Lock()}]
        def one(): return P
        """
    )
    assert "P.parts[1]['lock'] is a lock" in refusal(names, "one").problems[0].message


INSIDE = {
    "step 'one' cannot travel to a step: its default of x is a lock": "def one(x=lock): pass",
    "step 'one' cannot travel to a step: its variable kept is a lock": """
        def make(kept):
            def one(): return kept
            return one
        one = make(lock)
        """,
    "the global 'helper' that step 'one' uses cannot travel to a step: helper's default of x is a lock": """
        def helper(x=lock): pass
        def one(): return helper()
        """,
    "the global 'Pool' that step 'one' uses cannot travel to a step: Pool.lock is a lock": """
        class Pool:
            lock = lock
        def one(): return Pool()
        """,
}


@pytest.mark.parametrize("message", INSIDE)
def test_the_place_inside_a_function_or_class_is_told(message):
    names = script(f"import threading\nlock = threading.Lock()\n{textwrap.dedent(INSIDE[message])}")
    assert message in refusal(names, "one").problems[0].message


def test_all_problems_are_told_at_once():
    names = script(
        """
        import threading
        A, B, C = threading.Lock(), (i for i in ()), 1
        def one(): return A, C
        def two(): return B
        """
    )
    error = refusal(names, "one", "two")
    assert [problem.message.split("'")[1] for problem in error.problems] == ["A", "B"]
    assert str(error).count("cannot travel") == 2


def test_a_large_global_is_refused_with_its_shape_and_size():
    numpy = pytest.importorskip("numpy")
    names = script("def one(): return W.sum()\n", W=numpy.zeros((1000, 2000)))
    message = refusal(names, "one").problems[0].message
    assert "is too large to travel with the code" in message
    assert "numpy.ndarray of float64 (1000, 2000), 16 MB" in message
    assert "the limit is 10 MB" in message


def test_the_limit_can_be_set():
    names = script("T = 'x' * 5000\ndef one(): return T\n")
    assert capture(steps_of([names["one"]])).steps.keys() == {"one"}
    assert "the limit is 1 kB" in refusal(names, "one", limit=1000).problems[0].message


def test_what_no_step_reaches_is_not_looked_at():
    names = script("import threading\nL = threading.Lock()\ndef one(): return 1\n")
    assert capture(steps_of([names["one"]])).steps["one"].name == "one"


def test_a_constant_that_cannot_travel_is_refused_by_its_argument():
    with pytest.raises(CaptureError, match="argument 'x' of task 'one' cannot travel.*a lock"):
        code = Code(10_000_000)
        code.constant(threading.Lock(), name="argument 'x' of task 'one'")


def test_equal_constants_share_a_name():
    code = Code(10_000_000)
    assert code.constant([1, 2]) == code.constant([1, 2])
    assert code.constant([1, 2]) != code.constant([2, 1])


def test_a_local_module_without_source_is_refused_by_name(tmp_path, monkeypatch):
    library = tmp_path / "fastpart.so"
    library.write_bytes(b"")
    module = types.ModuleType("fastpart")
    module.__file__ = str(library)
    monkeypatch.setitem(sys.modules, "fastpart", module)
    names = script("import fastpart\ndef one(): return fastpart.f()\n")
    message = refusal(names, "one").problems[0].message
    assert "the local module 'fastpart'" in message
    assert "is not Python source" in message


def test_a_value_whose_reduction_raises_is_refused_by_name():
    names = script(
        """
        class Bad:
            def __reduce__(self): raise RuntimeError("no copies of me")
        X = Bad()
        def one(): return X
        """
    )
    assert "no copies of me" in refusal(names, "one").problems[0].message


def test_deep_nesting_is_refused_not_a_crash():
    names = script("X = []\nfor _ in range(100_000): X = [X]\ndef one(): return X\n")
    assert "nested too deeply" in refusal(names, "one").problems[0].message
    inner = names["X"]
    while inner:
        inner = inner.pop()


def test_capture_leaves_this_process_as_it_was():
    before = set(sys.modules), list(sys.meta_path), sys.modules["__main__"]
    names = script("import json\ndef one(): return json\n")
    capture(steps_of([names["one"]]))
    assert (set(sys.modules), list(sys.meta_path), sys.modules["__main__"]) == before
    assert not __import__("cloudpickle").list_registry_pickle_by_value()


def test_a_setting_of_a_local_module_that_cannot_travel_is_refused(tmp_path, monkeypatch):
    (tmp_path / "lm_config.py").write_text("LOCK = None\ndef get(): return LOCK\n")
    monkeypatch.syspath_prepend(tmp_path)
    names = script(
        """
        import threading
        import lm_config
        lm_config.LOCK = threading.Lock()
        def one(): return lm_config.get()
        """
    )
    message = refusal(names, "one").problems[0].message
    assert "the global 'LOCK' of module 'lm_config', which was set from outside it" in message
    del sys.modules["lm_config"]


@pytest.mark.parametrize(
    "text",
    [
        "from threading import *\nGUARD = Lock()\ndef f(): return Lock, GUARD\n",
        "import threading\nglobals()['L'] = threading.Lock()\ndef f(): return L\n",
        "import threading\n_l = None\ndef f():\n    global _l\n    _l = _l or threading.Lock()\n    return _l\nf()\n",
        "import threading\nfor L in [threading.Lock()]: pass\ndef f(): return L\n",
    ],
)
def test_what_a_module_makes_itself_is_left_to_it(tmp_path, monkeypatch, text):
    (tmp_path / "lm_own.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    names = script("import lm_own\ndef one(): return lm_own.f()\n")
    assert capture(steps_of([names["one"]])).steps
    del sys.modules["lm_own"]
