"""The tasks before the plan's own: they make the run's volumes and write the code to them.

There is no code on a volume yet, so what they run travels in their arguments:

    ["python3", "-c", BOOT, "<base64 of the zlib of the source>", "--flag", "value"]

Nothing of it passes through a shell, and base64 holds no brace, so neither a shell nor Argo can
read anything into it.
"""

from __future__ import annotations

import base64
import inspect
import re
import zlib
from types import ModuleType

from kalelite.backends.kubeflow.compile import stage_program
from kalelite.backends.kubeflow.compile.components import Component
from kalelite.backends.kubeflow.compile.escaping import (
    JOB_ID,
    JOB_NAME,
    input_value,
    output_file,
)
from kalelite.backends.kubeflow.compile.mounts import Creation, Storage
from kalelite.backends.kubeflow.pod.inputs import RUN
from kalelite.plan.options import StepOptions
from kalelite.volumes import provision

BOOT = "import base64,sys,zlib;exec(zlib.decompress(base64.b64decode(sys.argv.pop(1))))"

ARGUMENT_LIMIT = 131_071
"""Bytes that one argument of a process may have on Linux (MAX_ARG_STRLEN less the final zero)."""

PART_LIMIT = 96_000
"""Base64 characters that one stage task brings.

The driver gets a task's whole container as *one* argument, so all chunks of a task together, and
the JSON around them, have to stay below `ARGUMENT_LIMIT`.
"""

CHUNK = 48_000
"""Characters in each argument."""


def volume_task(creation: Creation, image: str) -> Component:
    """The task that makes a claim for the run."""
    args = ["--name", input_value("job")]
    if creation.suffix:
        args.append(f"--suffix={creation.suffix}")
    args += ["--size", creation.size, "--run", input_value(RUN), "--output", output_file("name")]
    for mode in creation.modes:
        args += ["--mode", mode]
    if creation.storage_class is not None:
        args += ["--storage-class", creation.storage_class]
    if creation.snapshot:
        args += ["--snapshot", creation.snapshot]
    return Component(
        id=creation.task,
        image=image,
        command=inline(provision),
        args=tuple(args),
        inputs={"job": "str", RUN: "str"},
        outputs={"name": "str"},
        arguments={"job": JOB_NAME, RUN: JOB_ID},
        options=StepOptions(),
    )


def stage_tasks(bundle: bytes, digest: str, storage: Storage, image: str) -> tuple[Component, ...]:
    """The tasks that write the bundle, with this SHA-256, to a volume that does not hold it."""
    if not storage.staged:
        return ()
    text = base64.b64encode(bundle).decode("ascii")
    # A part is decoded on its own: base64 may be cut after every fourth character only.
    pieces = [text[start : start + PART_LIMIT] for start in range(0, len(text), PART_LIMIT)]
    home = storage.home
    folders = [home, f"{home}/store", f"{home}/runs"]
    if storage.new_root:
        folders.insert(0, storage.new_root)
    common = ["--target", storage.code_path(digest), "--digest", digest]
    for folder in folders:
        common += ["--open", folder]
    tasks = []
    for number, piece in enumerate(pieces, 1):
        chunks = [piece[start : start + CHUNK] for start in range(0, len(piece), CHUNK)]
        place = ["--part", str(number), "--parts", str(len(pieces))]
        task = Component(
            id="stage" if number == 1 else f"stage-{number}",
            # As the image's user, root in a stock image: the owner of a new volume.
            image=image,
            command=inline(stage_program),
            args=(*common, *place, *chunks),
            options=StepOptions(volumes=storage.volumes),
        )
        tasks.append(task)
    return tuple(tasks)


def inline(program: ModuleType) -> tuple[str, ...]:
    """The command that runs a module's source; the program's own arguments follow it."""
    packed = zlib.compress(source_of(program).encode("utf-8"), 9)
    return ("python3", "-c", BOOT, base64.b64encode(packed).decode("ascii"))


def source_of(program: ModuleType) -> str:
    """The module's source without docstrings, comments on lines of their own and blank lines."""
    text = inspect.getsource(program)
    text = re.sub(r'^[ \t]*"""(?:.|\n)*?"""[ \t]*\n', "", text, flags=re.MULTILINE)
    return re.sub(r"^[ \t]*(?:#.*)?\n", "", text, flags=re.MULTILINE)
