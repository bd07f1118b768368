"""Make the README's pictures anew: ``python notebooks/pictures/make.py``, or those that are named.

Each command runs in a terminal of 100 columns; what it leaves on the screen is the picture. That of a
run on Kubeflow Pipelines is made where ``KALELITE_KFP_HOST`` says where that is.
"""

import io
import os
import pty
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text
from volumes_picture import volumes_svg

HERE = Path(__file__).resolve().parent
WRONG = """
from kalelite import pipeline, step

@step
def load(path):
    return open(path).read().split()

@step
def fit(rows, rate):
    return len(rows) * rate

@pipeline
def study(path: str = "rows.txt", rate: float = 0.1):
    rows = load(path)
    if rows:
        model = fit(rows, rate * 2)
    for row in rows:
        fit(row, rate)
    return fit(rows, speed=rate)
"""
CRASH = """
from kalelite import pipeline, step

@step
def load():
    return [{"name": "Ada", "age": 36}, {"name": "Alan"}]

@step
def mean_age(rows):
    def age(row):
        return row["age"]

    return sum(age(row) for row in rows) / len(rows)

@step
def report(mean):
    print(f"{mean:.1f} years")

@pipeline
def ages():
    report(mean_age(load()))
"""
CLUSTER = """
from kalelite import log_metric, pipeline, step

@step
def load(rows):
    print(f"{rows} rows")
    return list(range(rows))

@step(memory="200Mi", retries=2)
def fit(rows, degree):
    log_metric("loss", 1 / degree)
    return {"degree": degree, "weights": rows[:degree]}

@step
def best(first, second):
    return max(first, second, key=lambda model: model["degree"])

@pipeline
def study(rows: int = 1000):
    data = load(rows)
    return best(fit(data, 2), fit(data, 3))
"""


def typed(*words):
    """What a terminal got from ``kalelite WORDS``."""
    ours, theirs = pty.openpty()
    unset = {"NO_COLOR", "FORCE_COLOR", "KALELITE_OUTPUT", "KALELITE_HOME"}
    environ = {name: value for name, value in os.environ.items() if name not in unset}
    environ |= {"COLUMNS": "100", "LINES": "60", "TERM": "xterm-256color"}
    command = [str(Path(sys.executable).with_name("kalelite")), *words]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environ):
        os.close(theirs)
        got = b""
        try:
            while part := os.read(ours, 65536):
                got += part
        except OSError:  # the other side is closed
            pass
    os.close(ours)
    return got.decode()


def screen(text):
    """The lines that are left when the table has been drawn again and again."""
    lines, row = [""], 0
    for part in re.split(r"(\x1b\[\d*A|\x1b\[2K|\x1b\[\?\d+[hl]|\r?\n|\r)", text):
        if part.endswith("\n"):
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif part.endswith("A") and part.startswith("\x1b["):
            row -= int(part[2:-1] or 1)
        elif part == "\x1b[2K":
            lines[row] = ""
        elif part != "\r" and not part.startswith("\x1b[?"):
            lines[row] += part
    return "\n".join(lines).rstrip("\n")


def wanted(name):
    """Whether a picture is asked for."""
    return not sys.argv[1:] or name in sys.argv[1:]


def photograph(name, *words):
    """Type a command, and keep the screen as a picture."""
    if not wanted(name):
        return
    console = Console(record=True, width=100, file=io.StringIO())
    console.print(Text.from_ansi(screen(typed(*words))))
    svg = console.export_svg(title=shlex.join(("kalelite", *words)), unique_id=name)
    # The fonts of the page's reader, not of a web site.
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    svg = svg.replace("font-family: Fira Code, monospace", "font-family: ui-monospace, monospace")
    (HERE / f"{name}.svg").write_text(svg, "utf-8")


with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    Path("digits.py").write_bytes((HERE.parent / "digits.py").read_bytes())
    Path("wrong.py").write_text(WRONG.lstrip(), "utf-8")
    Path("crash.py").write_text(CRASH.lstrip(), "utf-8")
    typed("graph", "digits.py", "-o", str(HERE / "plan.svg"))
    photograph("run", "digits.py")
    photograph("errors", "wrong.py")
    photograph("crash", "crash.py")
    if wanted("resume"):
        typed("crash.py")
        Path("crash.py").write_text(
            CRASH.lstrip().replace('row["age"]', 'row.get("age", 41)'), "utf-8"
        )
        photograph("resume", "resume")
    points = ("-p", "trees=[20, 400]", "-p", "test_size=[0.2, 0.5]")
    photograph(
        "sweep", "sweep", "digits.py", *points, "--objective", "evaluate.accuracy", "--maximize"
    )
    if wanted("explain"):
        typed("digits.py", "--cache")
        script = Path("digits.py").read_text("utf-8")
        Path("digits.py").write_text(script.replace("C=10", "C=1"), "utf-8")
        typed("digits.py", "--cache")
        photograph("explain", "explain")
    if os.environ.get("KALELITE_KFP_HOST"):
        Path("study.py").write_text(CLUSTER.lstrip(), "utf-8")
        photograph("kubeflow", "study.py", "--kfp")
    if "KUBECONFIG" in os.environ:  # of somebody who lacks a right
        photograph("doctor", "doctor")
(HERE / "volumes.svg").write_text(volumes_svg(), "utf-8")
