"""The user's script, read and run the way Python would."""

from __future__ import annotations

import os
import sys

import pytest

from kalelite.errors import ScriptError
from kalelite.source.script import read_script


def write(folder, content, name="script.py"):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def run(path, *arguments):
    script = read_script(path)
    with script.as_main(arguments) as module:
        return script.execute(module), module


def test_the_script_is_main(tmp_path):
    (tmp_path / "neighbour.py").write_text("value = 7\n")
    path = write(
        tmp_path,
        "import sys, neighbour\n"
        "seen = (__name__, __file__, sys.argv, sys.path[0], neighbour.value)\n"
        "me = sys.modules['__main__']\n",
    )
    before = sys.modules["__main__"], sys.argv, list(sys.path)

    ended, module = run(path, "--own", "x")

    assert module.seen == ("__main__", path, [path, "--own", "x"], str(tmp_path), 7)
    assert module.me is module
    assert ended.ok
    assert (sys.modules["__main__"], sys.argv, sys.path) == before
    del sys.modules["neighbour"]


@pytest.mark.parametrize(
    "name", ["with space.py", "quo'te\".py", "$(x).py", "ünïcode.py", "no_ending"]
)
def test_any_file_name_will_do(tmp_path, name):
    path = write(tmp_path, "x = __file__\n", name)

    assert run(path)[1].x == path


def test_a_relative_path_is_argv_0_as_typed(tmp_path, monkeypatch):
    write(tmp_path, "import sys\nseen = sys.argv[0]\n")
    monkeypatch.chdir(tmp_path)

    _, module = run("./script.py")

    assert module.seen == "./script.py"
    assert os.path.isabs(module.__file__)


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfx = 'BOM'\n",
        b"# -*- coding: latin-1 -*-\nx = '\xe9'\n",
        b"x = 1\r\ny = 2\r\n",
        b"x = 1",
        b"x = 1\n" * 1000,
    ],
)
def test_encodings_and_line_ends(tmp_path, content):
    assert run(write(tmp_path, content))[1].x in {"BOM", "\xe9", 1}


@pytest.mark.parametrize(
    ("content", "message", "line", "column"),
    [
        (b"x = (1,\ny = 2\n", "SyntaxError: '(' was never closed", 1, 4),
        (b"if True:\nx = 1\n", "IndentationError: expected an indented block", 2, 0),
        (b"if True:\n\tx = 1\n        y = 2\n", "TabError: inconsistent use of tabs", 3, None),
        (b"x = 1\ny = '\xff\xfe'\n", "is not text in utf-8", 2, 5),
        (b"x = 1\ny = 2\0\n", "has NUL bytes", 2, None),
        (b"# coding: klingon\n", "unknown encoding", 1, None),
    ],
)
def test_what_is_not_python_is_told_with_its_line(tmp_path, content, message, line, column):
    with pytest.raises(ScriptError) as error:
        read_script(write(tmp_path, content))

    assert message in error.value.message
    assert error.value.where.line == line
    if column is not None:
        assert error.value.where.column == column


def test_a_missing_file_suggests_its_neighbour(tmp_path):
    write(tmp_path, "", "train.py")

    with pytest.raises(ScriptError, match="there is no file") as error:
        read_script(str(tmp_path / "trian.py"))

    assert "train.py" in error.value.hint


def test_what_is_not_a_file_is_refused(tmp_path):
    write(tmp_path, "", "train.py")
    os.mkfifo(tmp_path / "pipe.py")
    (tmp_path / "loop.py").symlink_to(tmp_path / "loop.py")
    for name, message in [
        (str(tmp_path), "is a folder"),
        (str(tmp_path / "pipe.py"), "is not a regular file"),
        (str(tmp_path / "loop.py"), "symbolic links go in a circle"),
        ("-", "standard input"),
        ("nul\0.py", "cannot be the name of a file"),
        (str(tmp_path / "none" / "x.py"), "there is no file"),
    ]:
        with pytest.raises(ScriptError, match=message):
            read_script(name)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything; run the tests as a user")
def test_a_file_without_the_right_to_read_it(tmp_path):
    path = write(tmp_path, "")
    os.chmod(path, 0)

    with pytest.raises(ScriptError, match="may not be read"):
        read_script(path)


@pytest.mark.parametrize(
    ("code", "ok", "status"),
    [("0", True, 0), ("", True, 0), ("None", True, 0), ("3", False, 3), ("'x'", False, 1)],
)
def test_sys_exit_is_told_and_not_obeyed(tmp_path, code, ok, status):
    ended, _ = run(write(tmp_path, f"import sys\nsys.exit({code})\n"))

    assert (ended.ok, ended.status) == (ok, status)
    assert ended.where is None or ended.where.line == 2


def test_what_the_script_did_to_the_interpreter_is_undone(tmp_path):
    path = write(tmp_path, "import sys\nsys.argv.append('x')\nsys.path.insert(0, '/nowhere')\n")
    argv, paths = list(sys.argv), list(sys.path)

    run(path)

    assert (sys.argv, sys.path) == (argv, paths)
