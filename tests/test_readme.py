"""What the README says is so."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from kalelite.backends.kubeflow.compile.kfp_options import (
    KFP_PIPELINE_OPTIONS,
    KFP_STEP_OPTIONS,
    OLDEST,
)
from kalelite.backends.local.local_options import (
    LOCAL_PIPELINE_OPTIONS,
    LOCAL_STEP_OPTIONS,
    ForContainers,
)
from kalelite.plan.options import PIPELINE_OPTIONS, STEP_OPTIONS
from kalelite.plan.options.treatment import Handled, Noted

README = Path(__file__).resolve().parent.parent / "README.md"
START = "<!-- {}: from the code; `KALELITE_REGENERATE=1 pytest tests/test_readme.py` writes them anew -->\n"
END = "<!-- end of {} -->"


def option_table(options, local, kfp):
    """The options as a table in Markdown: what they mean, and what each backend does with them."""
    heads = ("Option", "Written as", "Meaning", "Local run", "Kubeflow Pipelines", "Since KFP")
    lines = [heads, ["---"] * len(heads)]
    for option in options:
        here, there = local[option.name], kfp[option.name]
        since = getattr(there, "since", OLDEST).removesuffix(".0")
        if not isinstance(there, Handled):
            since = "never"
        lines.append(
            (
                f"`{option.name}`",
                f"`{option.example}`",
                option.help,
                treated(here),
                treated(there),
                since,
            )
        )
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
    )


def treated(treatment):
    if isinstance(treatment, ForContainers):
        return "for container steps"
    if isinstance(treatment, Handled):
        how = treatment.how or "yes"
        return f"{how}, except for {treatment.except_for}" if treatment.except_for else how
    if isinstance(treatment, Noted):
        return f"no effect: {treatment.instead}" if treatment.instead else "no effect"
    return f"refused: {treatment.reason}"


@pytest.mark.parametrize(
    ("name", "tables"),
    [
        ("options", (STEP_OPTIONS, LOCAL_STEP_OPTIONS, KFP_STEP_OPTIONS)),
        ("pipeline options", (PIPELINE_OPTIONS, LOCAL_PIPELINE_OPTIONS, KFP_PIPELINE_OPTIONS)),
    ],
    ids=["step", "pipeline"],
)
def test_the_tables_of_options_are_the_code_s(name, tables):
    start, end = START.format(name), END.format(name)
    text = README.read_text("utf-8")
    head, _, rest = text.partition(start)
    table, _, tail = rest.partition(end)
    if os.environ.get("KALELITE_REGENERATE"):
        table = option_table(*tables) + "\n"
        README.write_text(head + start + table + end + tail, "utf-8")

    assert table.strip() == option_table(*tables)


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
