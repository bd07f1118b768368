"""The tasks before the plan's own: they make the run's volumes and write the code to them."""

from __future__ import annotations

from kalelite.backends.kubeflow.compile.component_graph import Component
from kalelite.backends.kubeflow.compile.escaping import (
    JOB_ID,
    JOB_NAME,
    input_value,
    output_file,
)
from kalelite.backends.kubeflow.compile.inline_program import inline
from kalelite.backends.kubeflow.compile.mounts import Creation, Storage
from kalelite.backends.kubeflow.compile.stage import Part
from kalelite.backends.kubeflow.pod.inputs import RUN
from kalelite.plan.options import StepOptions
from kalelite.volumes import provision

__all__ = ["setup_tasks"]


def setup_tasks(storage: Storage, parts: tuple[Part, ...], image: str) -> list[Component]:
    """The tasks, which run one after the other."""
    options = StepOptions(volumes=storage.volumes)
    return [
        *(_creation(creation, image) for creation in storage.creations),
        # As the image's user, root in a stock image: the owner of a new volume.
        *(
            Component(
                id="stage" if part.number == 1 else f"stage-{part.number}",
                image=image,
                command=part.command,
                args=part.args,
                options=options,
            )
            for part in parts
        ),
    ]


def _creation(creation: Creation, image: str) -> Component:
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
        command=tuple(inline(provision)),
        args=tuple(args),
        inputs={"job": "str", RUN: "str"},
        outputs={"name": "str"},
        arguments={"job": JOB_NAME, RUN: JOB_ID},
    )
