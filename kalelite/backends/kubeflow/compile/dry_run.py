"""What a run would create, and what of it might surprise. Nothing is touched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kalelite.authoring.backends import Section
from kalelite.backends.kubeflow.compile import workflow_size as size
from kalelite.backends.kubeflow.compile.build import Compiled, build
from kalelite.backends.kubeflow.compile.code_notes import code_notes, few
from kalelite.backends.kubeflow.compile.compile_settings import Settings, settings_for
from kalelite.backends.kubeflow.compile.kfp_options import notes
from kalelite.backends.kubeflow.compile.recalling import recall_notes
from kalelite.plan.graph import ContainerDef, Plan, Task

_NO_RETRY = (
    "KFP may refuse to retry a failed run of so many tasks, for the state of all of them is more "
    "than etcd takes in one request: give the steps retries=, or run the pipeline again"
)
_ONE_NODE = (
    "steps run in parallel, and a ReadWriteOnce volume is for one node at a time: use "
    "access_mode=ReadWriteMany, a node_selector for all steps, or order='calls'"
)


def dry_run(plan: Plan, **settings: Any) -> list[Section]:
    """What compiling and running a plan would create; raises as `compile_plan`."""
    settled = settings_for(plan, settings)
    compiled = build(plan, settled)
    remarks = (
        *warnings_for(plan, **settings),
        *file_notes(compiled),
        *_limits(settled, compiled),
    )
    sections = (
        Section(f"Pipeline {plan.name}", tuple(_pipeline(plan, compiled))),
        Section("Volumes", tuple(_volumes(compiled))),
        Section("Steps", tuple(_step(task, settled) for task in plan.tasks)),
        Section("Pods", tuple(_pods(plan, compiled, settled))),
        Section("Notes", tuple((line,) for line in remarks)),
    )
    return [section for section in sections if section.rows]


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


def _volumes(compiled: Compiled) -> Iterator[tuple[str, ...]]:
    storage = compiled.storage
    for creation in storage.creations:
        snapshot = f", from snapshot {creation.snapshot}" if creation.snapshot else ""
        what = (
            f"{creation.what}, {creation.size}, {' '.join(creation.modes)}, "
            f"class {creation.storage_class or 'of the cluster'}{snapshot}; "
            "made by the task kalelite-prepare, deleted with the run"
        )
        yield creation.path, what
    for volume in storage.existing:
        yield volume.path, f"claim {volume.claim}, which has to exist"
    how = "brought by the task kalelite-prepare" if storage.staged else "in the clone"
    if storage.code_map:
        how = f"in the ConfigMap {storage.code_map.name}"
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


def _limits(settings: Settings, compiled: Compiled) -> Iterator[str]:
    """What KFP or the cluster may refuse."""
    if compiled.estimate.tasks > size.RETRYABLE:
        yield _NO_RETRY
    makes_marshal = any(one.what == "marshal volume" for one in compiled.storage.creations)
    if makes_marshal and settings.access_mode.startswith("ReadWriteOnce") and _is_wide(compiled):
        yield _ONE_NODE


def _is_wide(compiled: Compiled) -> bool:
    """Whether two tasks may run at once: a loop, or two that wait for the same."""
    graphs = [compiled.pipeline["root"], *compiled.pipeline.get("components", {}).values()]
    for graph in graphs:
        tasks = graph.get("dag", {}).get("tasks", {})
        if any("parameterIterator" in task for task in tasks.values()):
            return True
        waits = [tuple(task.get("dependentTasks", ())) for task in tasks.values()]
        if len(waits) != len(set(waits)):
            return True
    return False


def warnings_for(plan: Plan, **settings: Any) -> Iterator[str]:
    """A line for each thing that a run on KFP does otherwise than one might think."""
    texts = [plan.name, plan.description, *(each.description for each in plan.parameters)]
    if any("{{" in text for text in (*texts, *(task.step.description for task in plan.tasks))):
        yield "descriptions: Argo would expand '{{', so an invisible character stands between the braces"
    if plan.options.experiment:
        yield f"experiment: choose {plan.options.experiment!r} when you create a run of the file"
    tasks: dict[str, list[str]] = {}
    for task in plan.tasks:
        for note in notes(task.options, container=isinstance(task.step, ContainerDef)):
            tasks.setdefault(note, []).append(task.id)
    for note, names in tasks.items():
        yield f"{note} ({few(names)})"
    settled = settings_for(plan, settings)
    yield from recall_notes(plan, settled.reuse, lasts=settled.lasts)
    yield from code_notes(plan, settled)
