"""What a run would create, and what of it might surprise. Nothing is touched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from kalelite.authoring.backends import Section
from kalelite.backends.kubeflow.compile import workflow_size as size
from kalelite.backends.kubeflow.compile.build import Compiled, build
from kalelite.backends.kubeflow.compile.code_notes import few
from kalelite.backends.kubeflow.compile.compile_settings import CodeMap, Settings, settings_for
from kalelite.backends.kubeflow.compile.mounts import Storage, storage_of
from kalelite.backends.kubeflow.compile.plan_warnings import warnings_for
from kalelite.plan.graph import ContainerDef, Plan, Task

_NO_RETRY = (
    "KFP may refuse to retry a failed run of so many tasks, for the state of all of them is more "
    "than etcd takes in one request: give the steps retries=, or run the pipeline again"
)
_ONE_NODE = (
    "steps run in parallel, and a ReadWriteOnce volume is for one node at a time: use "
    "access_mode=ReadWriteMany, a node_selector for all steps, or order='calls'"
)


_RUN = "20260101-000000-0123456"
"""As long as the id of a run, whose own is not known yet."""


def dry_run(plan: Plan, *, supplied: bool = False, **settings: Any) -> list[Section]:
    """What compiling and running a plan would create; raises as `compile_plan`.

    ``supplied``: claims and the ConfigMap with the code are made before the run, by no task of it.
    """
    settled = settings_for(plan, settings)
    storage = storage_of(settled)
    compiled = build(plan, _supplied(settled) if supplied else settled)
    remarks = (
        *warnings_for(plan, **settings),
        *file_notes(compiled),
        *_limits(settled, storage, compiled),
    )
    sections = (
        Section(f"Pipeline {plan.name}", tuple(_pipeline(plan, compiled))),
        Section("Volumes", tuple(_volumes(storage, compiled, supplied))),
        Section("Steps", tuple(_step(task, settled) for task in plan.tasks)),
        Section("Pods", tuple(_pods(plan, compiled, settled))),
        Section("Notes", tuple((line,) for line in remarks)),
    )
    return [section for section in sections if section.rows]


def _supplied(settings: Settings) -> Settings:
    volume = settings.marshal_volume if settings.lasts else f"{_RUN}-marshal"
    return replace(settings, code_map=CodeMap(f"kalelite-{_RUN}"), run=_RUN, marshal_volume=volume)


def _pipeline(plan: Plan, compiled: Compiled) -> Iterator[tuple[str, ...]]:
    tasks = size.tasks_in(compiled.pipeline)
    yield (
        "steps",
        f"{len(plan.tasks)} of the script, {tasks} tasks and blocks in Kubeflow Pipelines",
    )
    code = f"{size.human(len(compiled.bundle))}, digest {compiled.digest[:16]}"
    yield "code", code
    estimate = compiled.estimate
    about = f"about {size.human(estimate.stored)} of {size.human(size.LIMIT)}"
    most = size.fitting_items(compiled.pipeline, compiled.platform)
    if most is not None:
        about += (
            f", with {size.ITEMS} items in each loop over what only the run knows; "
            f"{most if most < size.MOST_ITEMS else 'thousands'} in each would fit"
        )
    yield "Workflow", about
    for parameter in plan.parameters:
        yield "parameter", parameter.name


def _pods(plan: Plan, compiled: Compiled, settings: Settings) -> Iterator[tuple[str, ...]]:
    """Which steps share a pod, and why they are not fewer."""
    wiring = compiled.components.wiring
    own = {task.id for task in plan.tasks}
    shared = wiring.tasks_of_pods()
    if settings.pods != "few" and not shared:
        return
    alone = [id for id in wiring.tasks if id not in wiring.pods]
    repeated = any(map(wiring.is_repeated, (*shared, *alone)))
    each = ", those in loops once for each item or batch" if repeated else ""
    yield "in all", f"{len(shared) + len(alone)} for {len(wiring.tasks)} tasks{each}"
    for id, tasks in shared.items():
        yield id, few([task for task in tasks if task in own])
    for id, reason in wiring.lowered.borders.items():
        yield id, f"a pod of its own: {reason}"


def _volumes(storage: Storage, compiled: Compiled, supplied: bool) -> Iterator[tuple[str, ...]]:
    routes = compiled.components.routes
    when = "before the run" if supplied else "by the task kalelite-prepare"
    for creation in storage.creations:
        snapshot = f", from snapshot {creation.snapshot}" if creation.snapshot else ""
        what = (
            f"{creation.what}, {creation.size}, {' '.join(creation.modes)}, "
            f"class {creation.storage_class or 'of the cluster'}{snapshot}; "
            f"made {when}, deleted with the run"
        )
        yield creation.path, what
    for volume in storage.existing:
        yield volume.path, f"claim {volume.claim}, which has to exist"
    if routes is not None:
        yield "values", routes.cost()
    if supplied:
        yield "code", "a ConfigMap, made before the run, deleted with it"
    elif routes is not None:
        yield "code", "in an artifact that the task kalelite-prepare makes"
    else:
        how = "brought by the task kalelite-prepare" if storage.staged else "in the clone"
        yield storage.code_path(compiled.digest), how


def _step(task: Task, settings: Settings) -> tuple[str, ...]:
    image = task.options.image or settings.default_image
    if isinstance(task.step, ContainerDef):
        image = task.step.image
    hidden = ("image", "name", "env", "secrets")
    options = (
        f"{name}={value}" for name, value in task.options.explicit().items() if name not in hidden
    )
    return task.id, image, ", ".join(options)


def file_notes(compiled: Compiled) -> Iterator[str]:
    """Which files of this machine the steps have in their pods, and which they have not."""
    if compiled.files.travel:
        yield f"files that travel with the code: {_short(compiled.files.travel)}"
    if compiled.files.stay:
        yield (
            f"files that the code names and no pod has, unless a volume or a step brings them: "
            f"{_short(compiled.files.stay)}"
        )


def _short(files: Mapping[str, Path]) -> str:
    """Each file once, from the working folder if it lies there."""
    here = Path.cwd().resolve()
    paths = sorted(set(files.values()))
    return ", ".join(
        str(path.relative_to(here) if path.is_relative_to(here) else path) for path in paths
    )


def _limits(settings: Settings, storage: Storage, compiled: Compiled) -> Iterator[str]:
    """What KFP or the cluster may refuse."""
    if compiled.estimate.tasks > size.RETRYABLE:
        yield _NO_RETRY
    makes_marshal = any(one.what == "marshal volume" for one in storage.creations)
    if makes_marshal and settings.access_mode.startswith("ReadWriteOnce") and _is_wide(compiled):
        yield _ONE_NODE


def _is_wide(compiled: Compiled) -> bool:
    """Whether two tasks may run at once: a loop, or two that wait for the same."""
    graphs = [compiled.pipeline["root"], *compiled.pipeline.get("components", {}).values()]
    for graph in graphs:
        tasks = graph.get("dag", {}).get("tasks", {}).values()
        if any("parameterIterator" in task for task in tasks):
            return True
        runs = [task for task in tasks if task["taskInfo"]["name"] != size.NEVER]
        waits = [tuple(task.get("dependentTasks", ())) for task in runs]
        if len(waits) != len(set(waits)):
            return True
    return False
