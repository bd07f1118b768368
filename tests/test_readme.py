"""What the README says is so."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from kalelite.plan.options.table import PIPELINE_ROWS, ROWS, option_table

README = Path(__file__).resolve().parent.parent / "README.md"
START = "<!-- {}: from the code; `KALELITE_REGENERATE=1 pytest tests/test_readme.py` writes them anew -->\n"
END = "<!-- end of {} -->"


@pytest.mark.parametrize(
    ("name", "rows"),
    [("options", ROWS), ("pipeline options", PIPELINE_ROWS)],
    ids=["step", "pipeline"],
)
def test_the_tables_of_options_are_the_code_s(name, rows):
    start, end = START.format(name), END.format(name)
    text = README.read_text("utf-8")
    head, _, rest = text.partition(start)
    table, _, tail = rest.partition(end)
    if os.environ.get("KALELITE_REGENERATE"):
        table = option_table(rows)
        README.write_text(head + start + table + end + tail, "utf-8")

    assert table.strip() == option_table(rows).strip()


def test_the_first_example_runs(tmp_path):
    example = re.search(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL).group(1)
    script = tmp_path / "average.py"
    script.write_text(example, "utf-8")

    command = [sys.executable, "-m", "kalelite", str(script), "-p", "n=100"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert "49.5" in done.stdout + done.stderr


def test_every_picture_and_file_that_it_names_is_there():
    text = README.read_text("utf-8")

    missing = [
        link
        for link in re.findall(r"\]\(([^)#]+)\)", text)
        if "://" not in link and not (README.parent / link).exists()
    ]
    assert missing == []
