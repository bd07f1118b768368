"""The task before the plan's own: it makes the run's volumes and brings the code to them.

There is no code on a volume yet, so what it runs travels in its arguments:

    ["python3", "-c", BOOT, "<base64 of the zlib of the source>", "argument", …]

That is small: the code itself is in the arguments of a task that is never run, which are in the
Workflow once, not nine times, and the program takes it from there. Nothing of it passes through a
shell, and base64 holds no brace, so neither a shell nor Argo can read anything into it.
"""

from __future__ import annotations

import base64
import inspect
import json
import re
import zlib
from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any

from kalelite.backends.kubeflow.compile import boot_program
from kalelite.backends.kubeflow.compile.components import JOB, Component
from kalelite.backends.kubeflow.compile.escaping import (
    EXECUTOR_INPUT,
    JOB_ID,
    JOB_NAME,
    artifact_path,
    input_value,
    output_file,
)
from kalelite.backends.kubeflow.compile.mounts import CARRIED_CODE, Storage, claim_output
from kalelite.backends.kubeflow.compile.ports import Wire
from kalelite.backends.kubeflow.compile.run_place import told_parameters
from kalelite.backends.kubeflow.pod.inputs import RUN
from kalelite.plan.options import StepOptions

if TYPE_CHECKING:
    from kalelite.backends.kubeflow.compile.compile_settings import Settings
    from kalelite.backends.kubeflow.compile.kfp_parameters import Root
    from kalelite.backends.kubeflow.pod.prepare_run import Preparation
    from kalelite.plan.options.values import Volume

BOOT = "import base64,sys,zlib;exec(zlib.decompress(base64.b64decode(sys.argv[1])))"

PREPARE = "kalelite-prepare"
PREPARED = "prepared"
"""The task, and its output that says so."""


def preparation(
    root: Root, storage: Storage, settings: Settings, record: Mapping[str, Any] | None
) -> bytes:
    """What the prepare task does: a file of the bundle; ``record`` is what it begins."""
    made = any(not creation.suffix for creation in storage.creations)
    plan: Preparation = {
        "claims": [
            {
                "suffix": creation.suffix,
                "size": creation.size,
                "modes": list(creation.modes),
                "storage_class": creation.storage_class,
                "snapshot": creation.snapshot,
                "source": creation.source,
                "snapshot_class": creation.snapshot_class,
            }
            for creation in storage.creations
        ],
        "home": storage.home if storage.staged else "",
        "volume": storage.new_root,
        "suffix": "" if made else None,
        "root": bool(storage.new_root),
        "image": settings.default_image,
        "user": settings.run_as_user,
        "handed_on": not (storage.home or storage.code_map),
        "record": None if record is None else dict(record),
        "parameters": {port: name for port, (name, _) in told_parameters(root).items()},
    }
    return json.dumps(plan).encode()


def prepare_task(root: Root, digest: str, storage: Storage, settings: Settings) -> Component:
    """The task that makes the claims and brings the code, which has this SHA-256."""
    told = told_parameters(root) if settings.run is None and storage.home else {}
    names = {claim_output(creation): "str" for creation in storage.creations}
    outputs = {PREPARED: "str", **names}
    own = ("python3", storage.code_path(digest)) if storage.code_map else inline(boot_program)
    code = () if storage.code_map else (input_value("job"), digest)
    job = ("prepare", input_value("job"), input_value(RUN), EXECUTOR_INPUT)
    lasting: tuple[Volume, ...] = ()
    results = [*map(output_file, outputs)]
    if storage.home and storage.staged and not storage.creations:
        lasting = storage.existing[-1:]
    if not (storage.home or storage.code_map):
        results.append(artifact_path("outputs", CARRIED_CODE))
    return Component(
        id=PREPARE,
        image=settings.default_image,
        command=own,
        args=(*code, *job, *results),
        inputs={"job": "str", RUN: "str", **{port: kind for port, (_, kind) in told.items()}},
        outputs=outputs,
        arguments={
            "job": JOB_NAME,
            RUN: settings.run or JOB_ID,
            **{port: Wire("parameter", (name,)) for port, (name, _) in told.items()},
        },
        # As the image's user, root in a stock image: the owner of a new volume.
        options=StepOptions(volumes=lasting, config_maps=storage.config_maps),
    )


def carrier_task(bundle: bytes, digest: str, settings: Settings) -> Component:
    """The task that is never run, and has the code in its arguments."""
    text = base64.b64encode(bundle).decode("ascii")
    return Component(
        id="kalelite-code",
        image=settings.default_image,
        command=("true",),
        args=(f"kalelite:{digest}:{text}",),
        options=StepOptions(),
    )


def boot_command(digest: str) -> tuple[str, ...]:
    """The command that takes the code out of the run's Workflow and runs it."""
    return (*inline(boot_program), input_value(JOB), digest)


def inline(program: ModuleType) -> tuple[str, ...]:
    """The command that runs a module's source; the program's own arguments follow it."""
    packed = zlib.compress(source_of(program).encode("utf-8"), 9)
    return ("python3", "-c", BOOT, base64.b64encode(packed).decode("ascii"))


def source_of(program: ModuleType) -> str:
    """The module's source without docstrings, comments on lines of their own and blank lines."""
    text = inspect.getsource(program)
    text = re.sub(r'^[ \t]*"""(?:.|\n)*?"""[ \t]*\n', "", text, flags=re.MULTILINE)
    return re.sub(r"^[ \t]*(?:#.*)?\n", "", text, flags=re.MULTILINE)
