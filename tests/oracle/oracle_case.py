"""Cases: small programs with the right answer, run in every way that kalelite has.

A case is a file ``NNN_name.py`` or a folder with a ``main.py``. What plain Python prints in lines
that start with ``RESULT`` is the right answer. A case that needs another one gives it in a header,
TOML in comments between ``# /// case`` and ``# ///``:

- ``needs`` packages, ``ways`` it is judged in, ``other_user`` (runs as a user that is not root)
- ``lines`` that start with RESULT, ``exit`` code (or "any"), ``has`` and ``lacks``: texts of all
  output, white space as one blank
- ``files`` compared with plain Python's after the end; ``prints = true`` compares what steps print
  in lines with ``STEP``
- ``args`` after the script, ``stdin``, ``env``, or a ``command`` in place of the run
- ``[[run]]``, once for each run in the same folder: all of the above, after ``edit = [[file, old,
  new]]``, ``write``, ``touch`` and ``remove``
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
WAYS = ("plain", "local", "debug", "compiled")
LIMIT = 100
"""Seconds for one command."""

_HEADER = re.compile(r"^# /// case\n(.*?)^# ///$", re.MULTILINE | re.DOTALL)
_NOT_ROOT = ["unshare", "--user", "--map-user=1000", "--map-group=1000", "--"]


@dataclass(frozen=True)
class Case:
    """A case: its files, the packages that it needs, the ways it is judged in, and its runs."""

    name: str
    source: Path
    needs: tuple[str, ...]
    ways: tuple[str, ...]
    runs: tuple[dict[str, Any], ...]
    other_user: bool = False


@dataclass(frozen=True)
class Outcome:
    """What one run in one way gave."""

    code: int | None
    text: str
    lines: list[str] = field(default_factory=list)
    prints: list[str] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)


def read_case(source: Path) -> Case:
    """The case in a file or folder."""
    text = (source / "main.py" if source.is_dir() else source).read_text("utf-8")
    header = _HEADER.search(text)
    body = re.sub(r"^# ?", "", header[1], flags=re.MULTILINE) if header else ""
    given = tomllib.loads(body)
    every = {key: value for key, value in given.items() if key not in {"needs", "ways", "run"}}
    runs = tuple({**every, **run} for run in given.get("run", [{}]))
    plain = any("lines" not in run and "command" not in run for run in runs)
    ways = given.get("ways", WAYS if plain else ("local",))
    needs = tuple(given.get("needs", ()))
    return Case(source.stem, source, needs, tuple(ways), runs, given.get("other_user", False))


def cases() -> list[Case]:
    """All cases, by number."""
    return [read_case(source) for source in sorted((HERE / "cases").glob("[0-9]*"))]


def can_leave_root() -> bool:
    """Whether a command can be run as a user that is not root."""
    try:
        return subprocess.run([*_NOT_ROOT, "true"], capture_output=True).returncode == 0
    except OSError:
        return False


def run_case(case: Case, way: str, base: Path, image: Path | None = None) -> list[Outcome]:
    """All runs of a case in one way, in folders of their own below ``base``."""
    work = base / "work"
    if case.source.is_dir():
        shutil.copytree(case.source, work, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        work.mkdir()
        shutil.copyfile(case.source, work / "main.py")
    (base / "tmp").mkdir()
    return [_outcome(case, way, base, run, image) for run in case.runs]


def _outcome(case: Case, way: str, base: Path, run: dict[str, Any], image: Path | None) -> Outcome:
    work = base / "work"
    _prepare(work, run)
    env = {**_environment(base), **run.get("env", {})}
    if way == "plain":
        env["PYTHONPATH"] = str(HERE / "plain")
    if way == "compiled":
        env["PYTHONPATH"] = str(HERE.parent / "conformance")
    code, text = _call(_command(way, base, run, image), work, env, run, case.other_user)
    printed = text
    if run.get("prints") and way == "local":
        logs = [sys.executable, "-m", "kalelite", "logs", "last"]
        printed = _call(logs, work, env, {}, case.other_user)[1]
    return Outcome(
        code,
        text,
        [line for line in text.splitlines() if line.startswith("RESULT")],
        sorted(re.findall(r"\bSTEP .*", printed)) if run.get("prints") else [],
        {name: _content(work / name) for name in run.get("files", [])},
    )


def _command(way: str, base: Path, run: dict[str, Any], image: Path | None) -> list[str]:
    arguments = ["main.py", *run.get("args", [])]
    if way == "plain":
        return [sys.executable, *arguments]
    if way == "compiled":
        scratch = base / "compiled"
        scratch.mkdir(exist_ok=True)
        return [sys.executable, str(HERE / "compiled_run.py"), str(image), str(scratch), *arguments]
    if "command" in run:
        program, *rest = run["command"]
        known = {"python": [sys.executable], "kalelite": [sys.executable, "-m", "kalelite"]}
        return [*known[program], *rest]
    debug = ["--debug"] if way == "debug" else []
    return [sys.executable, "-m", "kalelite", arguments[0], *debug, *arguments[1:]]


def _environment(base: Path) -> dict[str, str]:
    inherited = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("KALELITE", "PYTHON", "PYTEST"))
    }
    return {
        **inherited,
        "KALELITE_HOME": str(base / "home"),
        "TMPDIR": str(base / "tmp"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        "MPLBACKEND": "agg",
        "COLUMNS": "100",
        "NO_COLOR": "1",
    }


def _prepare(work: Path, run: dict[str, Any]) -> None:
    """What the user does before this run."""
    for name, old, new in run.get("edit", []):
        path = work / name
        text = path.read_text("utf-8")
        header = _HEADER.search(text)
        start = header.end() if header else 0
        assert old in text[start:], f"{old!r} is not in {name}"
        path.write_text(text[:start] + text[start:].replace(old, new), "utf-8")
    for name, text in run.get("write", {}).items():
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text(text, "utf-8")
    for name in run.get("touch", []):
        before = (work / name).stat()
        os.utime(work / name, ns=(before.st_atime_ns, before.st_mtime_ns + 5_000_000_000))
    for name in run.get("remove", []):
        path = work / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _content(path: Path) -> str:
    if path.is_dir():
        inside = sorted(inner.relative_to(path).as_posix() for inner in path.rglob("*"))
        return f"a folder: {', '.join(inside)}"
    return path.read_text("utf-8", "replace") if path.exists() else "missing"


def _call(
    words: list[str], work: Path, env: dict[str, str], run: dict[str, Any], other_user: bool
) -> tuple[int | None, str]:
    """Run a command; its exit code (None: it took too long), and all that it printed."""
    if other_user and os.geteuid() == 0:
        words = [*_NOT_ROOT, *words]
    with tempfile.TemporaryFile() as seen:
        process = subprocess.Popen(
            words,
            cwd=work,
            env=env,
            stdin=subprocess.PIPE,
            stdout=seen,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            process.communicate(run.get("stdin", "").encode(), timeout=LIMIT)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        seen.seek(0)
        text = seen.read().decode("utf-8", "replace")
    return (None if process.returncode == -signal.SIGKILL else process.returncode), text


def fault(way: str, run: dict[str, Any], outcome: Outcome, plain: Outcome | None) -> str:
    """What is wrong with an outcome, beside plain Python's; empty if nothing is."""
    if outcome.code is None:
        return f"more than {LIMIT} s"
    compared = plain if way != "plain" else None
    code = run.get("exit", compared.code if compared else 0)
    exact = "exit" in run
    if code != "any" and (outcome.code != code if exact else bool(outcome.code) != bool(code)):
        return f"exit code {outcome.code}, should be {code}"
    lines = run.get("lines", plain.lines if plain else None)
    if lines is not None and outcome.lines != lines:
        return _difference("result", lines, outcome.lines)
    if compared is not None:
        if outcome.prints != compared.prints:
            return _difference("printed by steps", compared.prints, outcome.prints)
        for name, text in compared.files.items() if way != "compiled" else ():
            if outcome.files[name] != text:
                return _difference(f"file {name}", [text], [outcome.files[name]])
    return _texts(way, run, outcome)


def _texts(way: str, run: dict[str, Any], outcome: Outcome) -> str:
    flat = " ".join(outcome.text.split())
    if way == "plain":
        return ""
    for text in run.get("has", []):
        if text not in flat:
            return f"does not say {text!r}"
    for text in run.get("lacks", []):
        if text in flat:
            return f"says {text!r}"
    return ""


def _difference(what: str, right: list[str], got: list[str]) -> str:
    """The lines in which two lists differ."""
    pairs = itertools.zip_longest(right, got, fillvalue="(nothing)")
    found = [f"  right: {one}\n  got:   {other}" for one, other in pairs if one != other]
    return "\n".join([what, *found])
