"""Files into containers and out of them: between steps, from constants, in loops and branches.

No container engine is needed to run the compiled form, whose containers are processes here.
"""

import tempfile
from pathlib import Path

from kalelite import (
    Collected,
    Concat,
    Else,
    If,
    InputPath,
    InputValue,
    OneOf,
    OutputPath,
    ParallelFor,
    container_step,
    pipeline,
    step,
)

count = container_step(
    "count",
    image="busybox:1.36",
    command=["sh", "-c", 'wc -c < "$0" | tr -d " " > "$1"; tr a-z A-Z < "$0" > "$2"'],
    args=[InputPath("data"), OutputPath("bytes"), OutputPath("loud")],
    inputs={"data": Path},
    outputs={"bytes": int, "loud": Path},
)
join = container_step(
    "join",
    image="busybox:1.36",
    command=["sh", "-c", 'mkdir "$0"; cat "$1" > "$0/first"; printf %s "$2" > "$0/second"'],
    args=[OutputPath("folder"), InputPath("first"), InputValue("second")],
    inputs={"first": str, "second": Path},
    outputs={"folder": Path},
)
# It leaves half a result and fails, once: the next attempt finds an empty disk.
flaky = container_step(
    "flaky",
    image="busybox:1.36",
    command=["sh", "-c", 'mkdir "$0" && echo done > "$0/file" && test -d "$1" || ! mkdir "$1"'],
    args=[OutputPath("made"), Concat((InputValue("marks"), "/flaky"))],
    inputs={"marks": str},
    outputs={"made": Path},
    retries=1,
)


@step
def write(text) -> Path:
    path = Path(tempfile.mkdtemp(), "text.txt")
    path.write_bytes(text.encode())
    return path


@step
def read(file):
    return file.read_text()


@step
def read_all(files):
    return [file.read_text() for file in files]


@step
def listing(folder):
    return {str(p.relative_to(folder)): p.read_text() for p in sorted(folder.rglob("*"))}


@step
def show(*values):
    return values


@pipeline
def main(journal: str, text: str = 'from a "parameter": é\n'):
    size, loud = count(write("ünï\n"))
    # One container's file is another one's, with no task between them.
    again, louder = count(loud)
    folder = join(text, loud)
    with ParallelFor(["a", "bb"]) as word:
        _, each = count(write(word))
    with If(size > 3):
        _, one = count(loud)
    with Else():
        _, other = count(write("other"))
    contents = read_all(Collected(each))
    made = listing(flaky(journal))
    return show(size, again, read(louder), listing(folder), contents, read(OneOf(one, other)), made)


FOLDER = {"first": 'from a "parameter": é\n', "second": "üNï\n"}
EXPECTED = (6, 6, "üNï\n", FOLDER, ["A", "BB"], "üNï\n", {"file": "done\n"})
RAN = {"count": 1, "count-2": 1, "count-3": 2, "count-4": 1, "join": 1, "flaky": 1}
ATTEMPTS = {"flaky": 2}
