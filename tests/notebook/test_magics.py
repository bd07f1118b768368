"""``%load_ext kalelite``: the command's verbs as a magic."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("IPython", reason="needs IPython: pip install 'kalelite[notebook]'")

SESSION = """
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_cell("from kalelite import pipeline, step")
shell.run_cell("@step\\ndef load(n):\\n    print('loading', n)\\n    return n")
shell.run_cell("@pipeline\\ndef study(n: int = 3):\\n    return load(n)")
assert "kalelite" not in shell.magics_manager.magics["line"]
shell.run_cell("%load_ext kalelite")
shell.run_cell("study(n=4)")
shell.run_cell("%kalelite runs")
shell.run_cell("%kalelite logs last load")
print("PICTURE", shell.run_cell("%kalelite graph study").result)
print("RUN", shell.run_cell("%kalelite show last").result.state)
print("RESUMED", shell.run_cell("%kalelite resume").result)
print("VERBS", [one for one in shell.complete("", "%kalelite sh")[1]])
print("RUNS", shell.complete("", "%kalelite show ")[1][:1])
print("GRAPHS", shell.complete("", "%kalelite graph ")[1][:1])
"""


def test_the_verbs_are_there_after_load_ext(tmp_path):
    script = tmp_path / "session.py"
    script.write_text(SESSION)
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        env={"IPYTHONDIR": str(tmp_path / "ipython"), "PATH": "/usr/bin:/bin"},
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "study" in done.stdout
    assert "loading 4" in done.stdout
    assert "PICTURE <pipeline study>" in done.stdout
    assert "RUN succeeded" in done.stdout
    assert "RESUMED 4" in done.stdout
    assert "'show'" in done.stdout
    assert "RUNS ['last']" in done.stdout
    assert "GRAPHS ['study']" in done.stdout
