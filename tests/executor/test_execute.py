"""One task: inputs, call, outputs, record."""

import asyncio
import json
import linecache
import sys
from collections import OrderedDict, namedtuple
from pathlib import Path

import pytest

from kalelite.errors import CorruptObjectError
from kalelite.executor.execute import execute
from kalelite.executor.metrics import log_artifact, log_metric
from kalelite.executor.record_file import read
from kalelite.executor.spec import OutputSpec, TaskSpec
from kalelite.marshal import Store

Pair = namedtuple("Pair", "left right")


class Functions:
    """A code source of functions and constants that are here already."""

    def __init__(self, function=None, **constants):
        self._function = function
        self._constants = constants

    def begin(self, place):
        pass

    def function(self, key):
        if isinstance(self._function, BaseException):
            raise self._function
        return self._function

    def constant(self, name):
        return self._constants[name]


def step_like(function):
    """A decorator, which moves the first line of a function away from its ``def``."""
    return function


@pytest.fixture
def run(tmp_path):
    """Run a function as a task; its record, read back from the file."""

    def run(function, arguments=None, outputs=("value",), arity=None, native=None, **constants):
        if arity is None:
            specs = tuple(OutputSpec(name, None, native) for name in outputs)
        else:
            specs = tuple(OutputSpec(name, i, native) for i, name in enumerate(outputs))
        path = tmp_path / "tasks" / "task" / "record.json"
        spec = TaskSpec("task", "step", arguments or {}, specs, arity, record=str(path))
        record = execute(spec, Functions(function, **constants), Store(tmp_path / "store"))
        assert read(path) == record
        return record

    run.store = Store(tmp_path / "store")
    run.folder = tmp_path / "tasks" / "task"
    return run


def value(run, record, name="value"):
    assert record.failure is None, record.failure
    return run.store.load(record.outputs[name]["ref"])


# --- inputs


def test_every_kind_of_slot(run):
    reference = run.store.save({"a": [1, 2, 3]})
    arguments = {
        "plain": {"value": None},
        "const": {"const": "c"},
        "part_of_const": {"const": "c", "path": ["k"]},
        "whole": {"ref": reference},
        "part": {"ref": reference, "path": ["a", 1]},
        "list_": {"pack": "list", "of": [{"value": 1}, {"ref": reference, "path": ["a"]}]},
        "tuple_": {"pack": "tuple", "of": [{"value": 1}]},
        "dict_": {"pack": "dict", "keys": [{"value": 3}], "of": [{"value": 4}]},
        "named": {"pack": "named", "type": {"const": "pair"}, "of": [{"value": 1}, {"value": 2}]},
    }

    def step(plain, const, part_of_const, whole, part, list_, tuple_, dict_, named):
        return [plain, const, part_of_const, whole, part, list_, tuple_, dict_, named.right]

    got = value(run, run(step, arguments, c={"k": 9}, pair=Pair))
    assert got == [None, {"k": 9}, 9, {"a": [1, 2, 3]}, 2, [1, [1, 2, 3]], (1,), {3: 4}, 2]


def test_one_reference_given_twice_is_one_object(run):
    reference = run.store.save([1])
    slot = {"ref": reference}
    assert value(run, run(lambda a, b: a is b, {"a": slot, "b": slot})) is True


def test_positional_only_variadic_and_keyword_only_parameters(run):
    def step(a, /, b, *rest, c, d=5, **more):
        return a, b, rest, c, d, more

    arguments = {
        "a": {"value": 1},
        "b": {"value": 2},
        "rest": {"pack": "tuple", "of": [{"value": 3}, {"value": 4}]},
        "c": {"value": 6},
        "more": {"pack": "dict", "keys": [{"value": "z"}], "of": [{"value": 7}]},
    }
    assert value(run, run(step, arguments)) == (1, 2, (3, 4), 6, 5, {"z": 7})


def test_the_final_status_is_an_object(run):
    status = {"status": {"state": "FAILED", "failed_task": "t", "message": "m"}}
    record = run(lambda s: (s.state, s.failed_task, s.message), {"s": status})
    assert value(run, record) == ("FAILED", "t", "m")


def test_an_absent_input_fails_the_task(run):
    record = run(lambda x: x, {"x": {"ref": "xxh3-" + "0" * 32}})
    assert record.failure.type == "MissingObjectError"
    assert record.status == "failed"


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (["zz"], "there is no ['zz'] in the dict"),
        (["a", 7], "there is no [7] in the list"),
        (["a", 0, "b"], "there is no ['b'] in the int"),
    ],
)
def test_a_part_that_is_not_there_is_named(run, path, words):
    reference = run.store.save({"a": [1]})
    failed = run(lambda x: x, {"x": {"pack": "list", "of": [{"ref": reference, "path": path}]}})
    assert failed.failure.message == f"argument 'x': {words}"


# --- outputs


def test_the_whole_value_or_one_output_for_each(run):
    assert value(run, run(lambda: (1, 2))) == (1, 2)
    record = run(lambda: (1, "b"), outputs=("x", "y"), arity=2)
    assert (value(run, record, "x"), value(run, record, "y")) == (1, "b")


@pytest.mark.parametrize(
    "returned", [[1, 2], Pair(1, 2), OrderedDict(a=1, b=2), "ab", {5: 0, 6: 0}]
)
def test_whatever_python_unpacks_is_unpacked(run, returned):
    record = run(lambda: returned, outputs=("x", "y"), arity=2)
    first, second = returned
    assert (value(run, record, "x"), value(run, record, "y")) == (first, second)


@pytest.mark.parametrize(
    ("returned", "came"),
    [((1, 2, 3), "returned 3"), ((1,), "returned 1"), (5, "returned one"), (None, "returned one")],
)
def test_another_number_of_values_says_what_was_expected_and_what_came(run, returned, came):
    failure = run(lambda: returned, outputs=("x", "y"), arity=2).failure
    assert "2 values (x, y) are expected where it is called" in failure.message
    assert came in failure.message


def test_a_returned_none_is_a_value(run):
    assert value(run, run(lambda: None)) is None


async def _coroutine():
    return 1


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (lambda: (i for i in range(3)), "a generator"),
        (_coroutine, "a coroutine"),
    ],
)
def test_what_has_not_been_computed_is_refused(run, step, words):
    failure = run(step).failure
    assert f"the step returned {words}" in failure.message
    assert failure.hint


def test_what_was_returned_is_shown_at_the_return_or_the_def(run):
    @step_like
    def once(x=0):
        y = (i for i in range(x))
        return y

    @step_like
    def twice(x=0):
        if x:
            return 1
        return (i for i in range(x))

    (frame,) = run(once).failure.frames
    assert frame.text.strip() == "return y"
    (frame,) = run(twice).failure.frames
    assert frame.text.strip() == "def twice(x=0):"


def test_a_value_that_cannot_be_stored_fails_the_step_that_made_it(run):
    import threading

    def step():
        return {"models": [1, {"lock": threading.Lock()}]}

    failure = run(step).failure
    assert failure.type == "UnmarshallableError"
    assert "value['models'][1]['lock']" in failure.message
    assert failure.frames[0].text.strip().startswith("return {")


# --- native outputs


def test_numpy_numbers_become_the_python_number_of_the_same_value(run):
    numpy = pytest.importorskip("numpy")
    for returned, native, expected in [
        (numpy.int64(7), "int", 7),
        (numpy.float32(0.5), "float", 0.5),
        (numpy.bool_(True), "bool", True),
        (numpy.str_("a"), "str", "a"),
    ]:
        record = run(lambda returned=returned: returned, native=native)
        assert record.outputs["value"]["native"] == expected
        assert type(value(run, record)) is type(expected)


def test_an_int_is_a_float_where_a_float_is_promised(run):
    assert value(run, run(lambda: 3, native="float")) == 3.0


@pytest.mark.parametrize(
    ("returned", "native"),
    [(1.0, "int"), ("1", "int"), (None, "int"), ("1.5", "float"), (2**60 + 1, "float"), (1, "bool"),
     (b"a", "str"), (1, "str"), ((1,), "list"), ([], "dict")],
)  # fmt: skip
def test_another_type_than_annotated_fails(run, returned, native):
    failure = run(lambda: returned, native=native).failure
    assert failure.type == "TypeError"
    assert f"annotated -> {native}, but a {type(returned).__name__} was returned" in failure.message


@pytest.mark.parametrize(
    ("returned", "why"),
    [
        ([object], "not JSON serializable"),
        ({1: 2}, "JSON cannot hold"),
        ([(1,)], "JSON cannot hold"),
    ],
)
def test_a_list_or_dict_that_json_cannot_hold_goes_through_the_store_only(run, returned, why):
    native = type(returned).__name__
    entry = run(lambda: returned, native=native).outputs["value"]
    assert "native" not in entry
    assert why in entry["not_native"]


def test_not_a_number_is_a_float(run):
    entry = run(lambda: float("inf"), native="float").outputs["value"]
    assert entry["native"] == float("inf")


def test_an_enormous_int_goes_through_the_store_only(run):
    entry = run(lambda: 10**10_000, native="int").outputs["value"]
    assert "native" not in entry


# --- failures


def failure(run, step, **more):
    record = run(step, **more)
    assert record.status == "failed"
    assert not record.outputs
    json.dumps(record.failure.message)
    return record.failure


class Rude(Exception):
    def __str__(self):
        raise RuntimeError

    __repr__ = __str__


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (ValueError("plain"), "ValueError", "plain"),
        (SystemExit(), "SystemExit", "sys.exit() instead of returning"),
        (SystemExit(0), "SystemExit", "sys.exit() instead of returning"),
        (SystemExit(256), "SystemExit", "sys.exit(256)"),
        (SystemExit("bye"), "SystemExit", "sys.exit('bye')"),
        (KeyboardInterrupt(), "KeyboardInterrupt", "interrupted"),
        (GeneratorExit("g"), "GeneratorExit", "g"),
        (MemoryError(), "MemoryError", ""),
        (ValueError(b"\xff\x00"), "ValueError", "b'\\xff\\x00'"),
        (ValueError("\x1b[31m\x00\ud800"), "ValueError", "\\x1b[31m\\x00\\ud800"),
        (Rude(), "test_execute.Rude", "its __str__ raised RuntimeError"),
        (json.JSONDecodeError("m", "doc", 1), "json.decoder.JSONDecodeError", "m: line 1"),
    ],
)
def test_whatever_is_raised_becomes_a_report(run, error, kind, message):
    def step():
        raise error

    got = failure(run, step)
    assert got.type == kind
    assert message in got.message
    assert [frame.text.strip() for frame in got.frames] == ["raise error"]


def test_a_huge_message_is_cut(run):
    def step():
        raise ValueError("x" * 1_000_000)

    got = failure(run, step)
    assert len(got.message) < 11_000
    assert "more characters" in got.message
    assert len(got.traceback) < 110_000


def test_causes_are_kept_and_cycles_end(run):
    def step():
        try:
            raise KeyError("inner")
        except KeyError as error:
            outer = ValueError("outer")
            error.__cause__ = outer
            raise outer from error

    got = failure(run, step)
    assert (got.message, got.cause.type, got.cause.cause) == ("outer", "KeyError", None)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="exception groups came with Python 3.11")
def test_an_exception_group_names_its_members(run):
    def step():
        raise ExceptionGroup("two", [ValueError("a"), TypeError("b")])

    got = failure(run, step)
    assert "ValueError: a; TypeError: b" in got.message
    assert got.cause.type == "ValueError"


@pytest.mark.skipif(sys.version_info < (3, 11), reason="notes came with Python 3.11")
def test_notes_belong_to_the_message(run):
    def step():
        error = ValueError("m")
        error.add_note("see page 3")
        raise error

    assert failure(run, step).message == "m\nsee page 3"


def test_endless_recursion_is_a_short_report(run):
    def step():
        return step()

    got = failure(run, step)
    assert got.type == "RecursionError"
    assert len(got.frames) < 50


def test_frames_are_the_users_and_the_last_of_a_library(run):
    def step():
        return json.loads("{")

    frames = failure(run, step).frames
    assert frames[0].text.strip() == 'return json.loads("{")'
    assert len(frames) == 2
    assert frames[1].file.endswith("decoder.py")
    assert "kalelite" not in failure(run, step).traceback.replace("kalelite/tests", "")


@pytest.mark.skipif(sys.version_info < (3, 11), reason="columns came with Python 3.11")
def test_columns_count_characters(run):
    text = "def step():\n    return 'äöü€😀', missing + 1\n"
    linecache.cache["<here>"] = (len(text), None, text.splitlines(True), "<here>")
    space = {}
    exec(compile(text, "<here>", "exec"), space)
    frame = failure(run, space["step"]).frames[-1]
    assert frame.text[frame.column : frame.end_column] == "missing"


def test_an_absent_package_is_named_with_the_step(run):
    record = run(ModuleNotFoundError("No module named 'nowhere'", name="nowhere.nn"))
    assert "step task needs the package 'nowhere'" in record.failure.hint


def test_a_damaged_input_fails_the_task_also_if_the_step_did_not_see_it(tmp_path):
    class Damaged(Store):
        def settle(self):
            raise CorruptObjectError("object x is damaged")

    spec = TaskSpec("task", "step", {}, (OutputSpec("value"),))
    record = execute(spec, Functions(lambda: 1), Damaged(tmp_path))
    assert record.failure.type == "CorruptObjectError"
    assert not record.outputs


def test_the_record_comes_last_and_whole(tmp_path):
    """If the record cannot be written the caller hears of it, and no part of it is left."""
    (tmp_path / "file").write_text("")
    spec = TaskSpec("task", "step", {}, (), record=str(tmp_path / "file" / "record.json"))
    with pytest.raises(OSError):
        execute(spec, Functions(lambda: 1), Store(tmp_path / "s"))
    target = tmp_path / "folder" / "record.json"
    execute(TaskSpec("t", "s", record=str(target)), Functions(lambda: 1), Store(tmp_path / "s"))
    assert [path.name for path in target.parent.iterdir()] == ["record.json"]


def test_a_file_that_is_no_record_is_refused(tmp_path):
    (tmp_path / "r.json").write_text('{"task": 1')
    with pytest.raises(CorruptObjectError, match="is not the record of a task"):
        read(tmp_path / "r.json")
    assert read(tmp_path / "none.json") is None


# --- metrics and artifacts


def test_metrics_are_in_the_record(run):
    def step():
        log_metric("loss", 0.5, step=1)
        log_metric("loss", 0.25, step=2)
        log_metric("n", 3)
        log_metric("bad", float("nan"))

    metrics = [{k: v for k, v in m.items() if k != "time"} for m in run(step).metrics]
    assert metrics == [
        {"name": "loss", "value": 0.5, "step": 1},
        {"name": "loss", "value": 0.25, "step": 2},
        {"name": "n", "value": 3},
        {"name": "bad", "value": "nan"},
    ]


def test_metrics_of_threads_and_of_failed_steps_are_kept(run):
    import threading

    def step():
        thread = threading.Thread(target=log_metric, args=("a", 1))
        thread.start()
        thread.join()
        raise ValueError

    assert run(step).metrics[0]["name"] == "a"


@pytest.mark.parametrize(
    ("logged", "kind", "file", "content"),
    [
        ("<h1>hi</h1>", "html", "report.html", b"<h1>hi</h1>"),
        ("# hi\ntext", "markdown", "report.md", b"# hi\ntext"),
    ],
)
def test_text_is_kept_as_what_it_is(run, logged, kind, file, content):
    (entry,) = run(lambda: log_artifact(logged, "report")).artifacts
    assert (entry["name"], entry["kind"], entry["file"]) == ("report", kind, file)
    assert (run.folder / "artifacts" / file).read_bytes() == content


def test_files_and_folders_are_copied(run, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.txt").write_text("a")
    plot = tmp_path / "plot.png"
    plot.write_bytes(b"png")

    def step():
        log_artifact(plot, "plot")
        log_artifact(str(tmp_path / "data"), "all of it / ü")

    first, second = run(step).artifacts
    assert (first["kind"], first["file"], first["size"]) == ("image", "plot.png", 3)
    assert second["kind"] == "folder"
    assert (run.folder / "artifacts" / second["file"] / "a.txt").read_text() == "a"


def test_names_that_differ_get_files_that_differ(run):
    def step():
        log_artifact("a", "x/y")
        log_artifact("b", "x y")
        log_artifact("c", "x/y")

    entries = run(step).artifacts
    assert [entry["name"] for entry in entries] == ["x/y", "x y"]
    texts = [(run.folder / "artifacts" / entry["file"]).read_text() for entry in entries]
    assert texts == ["c", "b"]


def test_a_figure_is_kept_as_png(run):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    (entry,) = run(lambda: log_artifact(Figure(), "curve")).artifacts
    assert (run.folder / "artifacts" / entry["file"]).read_bytes().startswith(b"\x89PNG")


def test_tables_are_kept_as_html(run):
    pandas = pytest.importorskip("pandas")

    def step():
        log_artifact(pandas.DataFrame({"col": [1]}), "frame")
        log_artifact(pandas.Series([1], name="ser"), "series")

    for entry in run(step).artifacts:
        assert b"<table" in (run.folder / "artifacts" / entry["file"]).read_bytes()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("loss", "abc"), "metric 'loss' is of type str, not a number"),
        (("loss", None), "metric 'loss' is of type NoneType, not a number"),
        (("loss", 10**400), "metric 'loss' is of type int, not a number that float can hold"),
        (("loss", 1, "last"), "the step of metric 'loss' is of type str, not a number"),
        (("", 1), "a metric needs a name"),
    ],
)
def test_what_is_no_metric_is_refused_in_one_sentence(run, arguments, words):
    failed = run(lambda: log_metric(*arguments)).failure
    assert failed.type == "UsageError"
    assert failed.message.startswith(words)
    assert failed.cause is None


@pytest.mark.parametrize("wrong", ["no/such/file.png", Path("absent"), object(), 5])
def test_what_cannot_be_kept_is_refused(run, wrong):
    assert run(lambda: log_artifact(wrong, "x")).failure.type == "UsageError"


def test_outside_a_run_logging_checks_and_keeps_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    log_metric("a", 1)
    log_artifact("text", "x")
    with pytest.raises(Exception, match="not a number"):
        log_metric("a", "many")
    assert not list(tmp_path.iterdir())


def test_a_steps_own_event_loop_works(run):
    assert value(run, run(lambda: asyncio.run(_coroutine()))) == 1


def test_private_copies_of_files_are_gone_after_the_task(tmp_path):
    """What a step got as a path is its own, for as long as it runs."""
    (tmp_path / "note.txt").write_text("hello")
    store = Store(tmp_path / "s")
    reference = store.save(tmp_path / "note.txt")
    seen = []

    def step(path):
        seen.append((path, path.read_text()))
        return path

    spec = TaskSpec("task", "step", {"path": {"ref": reference}}, (OutputSpec("value"),))
    record = execute(spec, Functions(step), store)
    (path, text) = seen[0]
    assert text == "hello" and not path.exists()
    assert store.load(record.outputs["value"]["ref"]).read_text() == "hello"
