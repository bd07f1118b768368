"""The conformance programs and the examples give what they give in plain Python, debugged as well.

Compiled, tests/conformance holds them to the ``EXPECTED`` that plain Python is held to here.
"""

from __future__ import annotations

import pytest
from oracle_case import HERE, Case, fault, run_case

PROGRAMS = [
    *HERE.parent.glob("conformance/programs/*.py"),
    *HERE.parent.glob("conformance/examples/*.py"),
    *HERE.parent.parent.glob("notebooks/*.py"),
]
NEEDS = {"grid_search": ["sklearn"], "report": ["pandas", "matplotlib"]}
NEEDS |= {"digits": ["sklearn"], "tutorial": ["sklearn"]}
OPTIONS = {"options", "retries", "settings", "timeout", "ignore_failures", "exits"}
OPTIONS |= {"ended_processes", "exit_handler_killed", "ignored_chain", "memory"}
"""About options, which plain Python has not, and a step that leaves: in the README's table."""
FIELDS = {"grid_search"}
"""Items that are dicts, with attributes."""
END = """

if __name__ == "__main__":
    import inspect
    import os

    given = {"journal": os.getcwd(), **globals().get("ARGUMENTS", {})}
    names = inspect.signature(main).parameters
    try:
        value = main(**{name: given[name] for name in names if name in given})
        print("RESULT", value, value == globals().get("EXPECTED", value))
    finally:
        if os.path.exists("journal.txt"):
            with open("journal.txt") as file:
                words = file.read().split()
            print("RESULT", words == JOURNAL if "JOURNAL" in globals() else sorted(words))
"""


@pytest.mark.parametrize("way", ["local", "debug"])
@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_a_program_gives_what_it_gives_in_plain_python(path, way, tmp_path):
    for library in NEEDS.get(path.stem, ()):
        pytest.importorskip(library, reason=f"needs {library}: pip install {library}")
    if path.stem in OPTIONS | FIELDS:
        pytest.skip("plain Python has no such options or attributes: see tests/conformance")
    steps, main, end = path.read_text("utf-8").partition("if __name__")
    steps = steps.replace("print(", "print('STEP', ")
    source = tmp_path / "program.py"
    source.write_text(steps + (main + end.replace("print(", "print('RESULT', ") or END), "utf-8")
    case = Case(path.stem, source, (), (way,), ({"prints": True},))
    outcomes = []
    for one in ("plain", way):
        (tmp_path / one).mkdir()
        outcomes += run_case(case, one, tmp_path / one)
    plain, outcome = outcomes

    assert plain.lines or plain.prints or plain.code, plain.text
    assert all("False" not in line.split()[-1] for line in plain.lines), plain.text
    wrong = fault(way, {}, outcome, plain)
    assert not wrong, f"{wrong}\n{outcome.text[-3000:]}"
