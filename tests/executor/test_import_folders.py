"""Code of a team: modules in a folder, on a volume or from a ConfigMap, that steps import."""

from __future__ import annotations

import sys

import pytest

from kalelite.cli import main

SCRIPT = """
from kalelite import pipeline, step

TEAM = {{"PYTHONPATH": {folder!r}}}

@step(env=TEAM, volumes={{{folder!r}: "team-code"}})
def scored(x: int) -> int:
    import teamlib
    return teamlib.score(x)

@step
def without():
    try:
        import teamlib
    except ImportError:
        return "alone"

@pipeline
def team(x: int = 3):
    return scored(x), without()

if __name__ == "__main__":
    print("RESULT", *team())
"""


@pytest.fixture
def script(tmp_path, monkeypatch):
    folder = tmp_path / "team code"
    (folder / "teamlib").mkdir(parents=True)
    (folder / "teamlib" / "__init__.py").write_text("from teamlib.rates import score\n")
    (folder / "teamlib" / "rates.py").write_text("def score(x): return x * 10\n")
    path = tmp_path / "script.py"
    path.write_text(SCRIPT.format(folder=str(folder)))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KALELITE_HOME", str(tmp_path / "home"))
    yield path
    for name in [name for name in sys.modules if name.startswith("teamlib")]:
        del sys.modules[name]


def test_steps_import_from_the_folders_of_their_pythonpath(script, capfd):
    assert main([str(script)]) == 0
    assert "RESULT 30 alone" in capfd.readouterr().out

    assert main([str(script), "--debug"]) == 0
    assert "RESULT 30" in capfd.readouterr().out, "what one process has imported stays"


def test_the_content_of_the_folders_counts(script, capfd):
    main([str(script), "--cache"])
    main([str(script), "--cache"])
    assert "2 cached" in capfd.readouterr().out, "what Python has compiled there does not count"

    (script.parent / "team code" / "teamlib" / "rates.py").write_text(
        "def score(x): return x + 1\n"
    )
    main([str(script), "--cache"])
    out = capfd.readouterr().out
    assert "RESULT 4 alone" in out
    assert "1 cached" in out
