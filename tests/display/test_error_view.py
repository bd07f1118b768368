"""Whole screens, compared with goldens: errors, lines, JSON, the table, the summary."""

from __future__ import annotations

import json
import traceback

import pytest
from face_runs import failure, run_of_everything, screen, text_of

from kalelite.display.error_view import (
    error_lines,
    exception_lines,
    failure_lines,
    internal_lines,
    user_frames,
)
from kalelite.display.json_lines import JsonLines, encode
from kalelite.display.line_reporter import LineReporter
from kalelite.display.run_progress import RunProgress
from kalelite.display.screen import Screen
from kalelite.display.summary import log_tail, print_summary
from kalelite.errors import PipelineError, Problem, UsageError, Where
from kalelite.humanize import clean, one_line
from kalelite.plan.graph import OutputRef, Pack
from kalelite.source.script import read_script


def shown(reporter, out, folder):
    for event in run_of_everything(folder):
        reporter.emit(event)
    return out.stream.getvalue().replace(str(folder), "FOLDER")


def test_a_run_as_lines(golden, tmp_path):
    out = screen(90)

    golden("lines.txt", shown(LineReporter(out), out, tmp_path))


def test_a_run_as_json_is_one_object_a_line(golden, tmp_path):
    out = screen(90)
    text = shown(JsonLines(out), out, tmp_path)

    for line in text.splitlines():
        assert {"event", "at"} <= json.loads(line, parse_constant=pytest.fail).keys()
    golden("lines.json", text)


def test_numbers_that_json_lacks_become_text():
    assert encode({"a": float("nan"), 3: (float("inf"), {1})}) == {"a": "nan", "3": ["inf", [1]]}


@pytest.mark.parametrize("width", [40, 80])
def test_the_summary_of_a_failed_run(golden, tmp_path, monkeypatch, width):
    monkeypatch.chdir(tmp_path)
    out = screen(width)
    events = run_of_everything(tmp_path / "runs" / "run-1")
    run = RunProgress(events[0])
    for event in events[1:]:
        run.apply(event)

    print_summary(run, out, commands=["kalelite resume", "kalelite train.py"])

    golden(f"summary-{width}.txt", out.stream.getvalue())


@pytest.mark.parametrize("width", [30, 60, 100])
def test_the_table(golden, tmp_path, width):
    from rich.console import Console

    from kalelite.display.live_table import picture

    events = run_of_everything(tmp_path)
    run = RunProgress(events[0])
    for event in events[1:-6]:
        run.apply(event)
    console = Console(width=width, record=True, file=screen().stream)
    console.print(picture(run, run.window(5), events[-6].at + 2, width))

    golden(f"table-{width}.txt", console.export_text())


@pytest.mark.parametrize("width", [60, 100])
def test_a_long_message_leaves_the_other_columns_alone(tmp_path, width):
    from rich.console import Console

    from kalelite.display.live_table import picture

    events = run_of_everything(tmp_path)
    run = RunProgress(events[0])
    for event in events[1:]:
        run.apply(event)
    for row in run.rows.values():
        row.task, row.note = f"{row.task}-of-a-quite-long-name", "learning rate " * 30
    console = Console(width=width, record=True, file=screen().stream)
    console.print(picture(run, run.window(50), events[-1].at, width))

    lines = console.export_text().splitlines()[1:]
    assert all(line[0] in "✓✗⊘=·▸↻" for line in lines)
    assert all(len(line) <= width for line in lines)
    assert any(" s  " in line and "learning" in line for line in lines)


PROBLEMS = PipelineError(
    Problem(
        "the output of load() has no truth value yet",
        "Write `with If(data > 0):`",
        Where("/home/me/train.py", 12, 7, 11, "    if data:"),
    ),
    Problem("there is no step after this", "", Where("/home/me/train.py", 14)),
    Problem("nothing else"),
)


def test_all_problems_on_one_screen(golden):
    golden("problems.txt", text_of(error_lines(PROBLEMS)))
    golden("problems-color.txt", text_of(error_lines(PROBLEMS), color=True))


def test_a_usage_error_is_one_line_and_a_hint():
    error = UsageError("unknown option --job", hint="Did you mean --jobs?")

    assert text_of(error_lines(error)) == "error: unknown option --job\n  Did you mean --jobs?\n"


def test_a_step_s_failure_with_its_cause(golden):
    cause = failure(type="builtins.OSError", message="no network", frames=())
    report = failure(cause=cause, hint="Look at the input.", message="two\nlines")

    golden("failure.txt", text_of(failure_lines(report)))


def failing(tmp_path, source):
    path = tmp_path / "script.py"
    path.write_text(source, "utf-8")
    script = read_script(str(path))
    with script.as_main(()) as module, pytest.raises(BaseException) as error:
        script.execute(module)
    return error.value


def test_a_script_s_traceback_is_cut_to_the_user_s_frames(tmp_path):
    error = failing(
        tmp_path, "import json\n\ndef read(text):\n    return json.loads(text)\n\nread('{')\n"
    )

    frames, library = user_frames(error)
    shown = text_of(exception_lines(error, "it failed"), None)

    seen = [(frame.function, frame.line) for frame in frames]
    assert seen[1:] == [("<module>", 6), ("read", 4)]
    assert "decoder.py" in library
    assert "return json.loads(text)" in shown
    assert "kalelite/cli" not in shown
    assert "JSONDecodeError: Expecting property name" in shown


def test_a_deep_recursion_is_shown_by_its_ends(tmp_path):
    error = failing(tmp_path, "def f(n):\n    return f(n + 1)\n\nf(0)\n")

    shown = text_of(exception_lines(error, "it failed"), None)

    assert "frames more" in shown
    assert len(shown.splitlines()) < 60


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("class E(Exception):\n    def __str__(self): raise KeyError\nraise E", "cannot be shown"),
        ("raise ValueError('\\x1b[2J\\x07boo')", "ValueError: \ufffdboo"),
        ("raise ValueError('x' * 10**6)", "ValueError: xxx"),
        ("raise ValueError('a\\n' * 10000)", "9960 more lines"),
        ("raise ValueError", "  ValueError"),
        ("import nosuchmodule", "This Python has no such module"),
        ("try:\n    1/0\nexcept Exception as e:\n    raise OSError('x') from e", "ZeroDivision"),
        ("raise ValueError('\\ud800')", "ValueError: \\ud800"),
    ],
)
def test_odd_exceptions(tmp_path, source, expected):
    shown = text_of(exception_lines(failing(tmp_path, source), "it failed"), None)

    assert expected in shown
    assert len(shown) < 6000


def test_a_fault_of_ours_asks_for_a_report():
    try:
        {}["x"]
    except KeyError as error:
        short = text_of(internal_lines(error, full=False), None)
        full = text_of(internal_lines(error, full=True), None)

        assert "KALELITE_DEBUG=1" in short
        assert "KALELITE_DEBUG=1" not in full
        assert traceback.format_exc() in full


def test_text_of_others_cannot_move_the_cursor():
    assert clean("a\x1b[2Jb\x1b]0;title\x07c\x9b1m\x00") == "abc\ufffd1m\ufffd"
    assert clean("10%\r50%\r100%\nnext\r\n") == "100%\nnext\n"


@pytest.mark.parametrize(
    ("text", "width", "cut"),
    [
        ("short", 10, "short"),
        ("a long text", 6, "a lon…"),
        ("a\n b", 9, "a b"),
        ("日本語", 5, "日本…"),
    ],
)
def test_text_is_cut_by_columns(text, width, cut):
    out = screen(20 + width)
    out.line("." * 20 + one_line(text), fit="cut")

    assert out.stream.getvalue() == "." * 20 + cut + "\n"


def test_a_stream_that_cannot_take_a_character_gets_another(tmp_path):
    with open(tmp_path / "out", "w", encoding="ascii") as stream:
        out = Screen(stream, {})
        out.line("✓ caf\xe9 \udc80 →")

    assert (tmp_path / "out").read_text() == "+ caf\\xe9 \\udc80 ->\n"


def test_a_reader_that_went_away_is_no_error():
    class Closed:
        encoding = "utf-8"

        def isatty(self):
            return False

        def write(self, text):
            raise BrokenPipeError

    out = Screen(Closed(), {})
    out.line("x")
    out.line("y")

    assert out.gone


def test_the_end_of_a_log_is_read_without_reading_all(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"x" * 100_000 + b"\nlast\xff\n")

    lines, more = log_tail(path, 1)

    assert (lines, more) == (["last\ufffd"], True)
    assert log_tail(tmp_path / "none") == ([], False)


def test_what_a_pipeline_returns_is_named(tmp_path):
    from face_runs import plan

    from kalelite.display.summary import result_rows
    from kalelite.executor.spec import Record

    outputs = {"model": {"preview": "SVC()"}, "output": {"preview": "7"}}
    records = {"fit": Record("fit", "succeeded", outputs=outputs)}
    model, other = OutputRef("fit", "model"), OutputRef("fit", "output", ("k", 0))

    assert result_rows(plan("fit", result=model), records) == [("fit.model", "SVC()")]
    packed = Pack(dict, (model, other), ("best", "first"))
    assert result_rows(plan("fit", result=packed), records) == [
        ("best", "SVC()"),
        ("first", "a part of 7"),
    ]
