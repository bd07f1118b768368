"""`compile_plan`: from a plan to a file that Kubeflow Pipelines takes."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kalelite.backends.kubeflow.compile import workflow_size as size
from kalelite.backends.kubeflow.compile.compile_settings import Settings, settings_for
from kalelite.backends.kubeflow.compile.components import Steps
from kalelite.backends.kubeflow.compile.escaping import prose, summary
from kalelite.backends.kubeflow.compile.kfp_check import check_settled
from kalelite.backends.kubeflow.compile.kfp_parameters import root_parameters
from kalelite.backends.kubeflow.compile.lower import lower
from kalelite.backends.kubeflow.compile.mounts import Storage, storage_of
from kalelite.backends.kubeflow.compile.ports import Wiring
from kalelite.backends.kubeflow.compile.stage import Part, bundle_path, parts_of
from kalelite.backends.kubeflow.compile.task_manifest import task_manifests
from kalelite.errors import PipelineError, Problem, UsageError
from kalelite.executor import container_io as files
from kalelite.plan.graph import Plan, StepDef
from kalelite.plan.names import slug
from kalelite.plan.order import Scopes

__all__ = ["Compiled", "build", "compile_plan", "write"]


_CONVERTER = "kalelite.plan.types.spelling"
"""For parameters that are no primitives, and for values as text. It travels on request only."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """A compiled pipeline.

    Attributes
    ----------
    pipeline, platform
        KFP's PipelineSpec and PlatformSpec as JSON data.
    bundle, digest
        The zip application that the steps run, and its SHA-256.
    storage
        The volumes of a run.
    parts
        The stage tasks; none if the bundle goes into the workspace.
    estimate
        The size of the run's Workflow.
    comment
        Lines for the head of the file: what the pipeline and its steps do.
    """

    pipeline: dict[str, Any]
    platform: dict[str, Any]
    bundle: bytes
    digest: str
    storage: Storage
    parts: tuple[Part, ...]
    estimate: size.Estimate
    comment: str = ""

    def documents(self) -> list[dict[str, Any]]:
        """What the file holds."""
        return [self.pipeline, self.platform] if self.platform else [self.pipeline]


def compile_plan(plan: Plan, path: str | os.PathLike[str], **said: Any) -> Compiled:
    """Compile a plan into a YAML file for Kubeflow Pipelines.

    If the run works on a clone of the workspace, the code is written into the workspace, too,
    where the clone will have it.

    Parameters
    ----------
    plan
        A traced pipeline.
    path
        The file, ending in ``.yaml`` or ``.yml``; it is replaced at one stroke.
    said
        Settings by name: see `kalelite.backends.kubeflow.compile.compile_settings.Settings`.

    Raises
    ------
    PipelineError
        With all that Kubeflow Pipelines cannot do, or that would make the run too large.
    CaptureError
        Code or a constant cannot travel.
    UsageError
        A setting is not usable, the path is not, or kfp is not installed.
    """
    target = Path(path)
    if target.suffix not in {".yaml", ".yml"}:
        hint = f"Write {target.with_suffix('.yaml').name!r}."
        raise UsageError(f"{str(target)!r} does not end in .yaml", hint=hint)
    folder = target.absolute().parent
    if target.is_dir() or not folder.is_dir():
        hint = (
            "It is a folder: name a file." if target.is_dir() else f"There is no folder {folder}."
        )
        raise UsageError(f"{str(target)!r} cannot be written", hint=hint)
    compiled = build(plan, settings_for(plan, said))
    write(compiled, target)
    if not compiled.storage.staged:
        _replace(Path(bundle_path(compiled.storage.home, compiled.digest)), compiled.bundle)
    return compiled


def build(plan: Plan, settings: Settings) -> Compiled:
    """Compile a plan and touch nothing; raises as `compile_plan`."""
    problems = check_settled(plan, settings)
    if problems:
        raise PipelineError(*problems)
    from kalelite.capture import bundle as bundles
    from kalelite.capture.code import capture

    lowered = lower(plan)
    scopes, wiring = Scopes(lowered.plan), Wiring(lowered)
    code = capture(lowered.plan)
    # One file for all tasks: they are alike, and compress well together only.
    tasks = json.dumps(
        task_manifests(wiring, scopes, code), sort_keys=True, separators=(",", ":")
    ).encode()
    functions = {
        task.step.function
        for task in lowered.plan.tasks
        if task.id in lowered.added and isinstance(task.step, StepDef)
    }
    modules = {function.__module__ for function in functions}
    if b'"convert"' in tasks or functions.intersection((files.give, files.text)):
        modules.add(_CONVERTER)
    bundle = bundles.bundle(code, {"tasks.json": tasks}, modules=tuple(sorted(modules)))
    digest = hashlib.sha256(bundle).hexdigest()
    storage = storage_of(settings)
    parts: tuple[Part, ...] = ()
    if storage.staged:
        parts = parts_of(bundle, digest, home=storage.home, root=storage.new_root)
    steps = Steps(wiring, storage, settings, bundle_path(storage.home, digest))
    first = [steps.creation(creation) for creation in storage.creations]
    first += [steps.stage(part) for part in parts]
    to_ir, graph_class = _kfp()
    graph = graph_class(
        plan=lowered.plan,
        scopes=scopes,
        wiring=wiring,
        steps=steps,
        first=tuple(first),
        parameters=root_parameters(plan, settings),
        name=slug(plan.name, limit=57),
        display_name=prose(plan.name),
        description=prose(plan.description),
    )
    pipeline, platform = to_ir(graph)
    compiled = Compiled(
        pipeline,
        platform,
        bundle,
        digest,
        storage,
        parts,
        _estimate(pipeline, platform, parts),
        _comment(plan),
    )
    if not compiled.estimate.fits:
        raise PipelineError(too_large(plan, compiled.estimate))
    return compiled


def _kfp() -> tuple[Any, Any]:
    """The compiler, which needs kfp; a second to import, so not before it is needed."""
    try:
        from kalelite.backends.kubeflow.compile import to_ir as compiler
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in {"kfp", "google", "kubernetes"}:
            raise
        raise UsageError(
            f"compiling for Kubeflow Pipelines needs kfp: no module {error.name!r} is here",
            hint="pip install 'kalelite[kfp]'",
        ) from error
    return compiler.to_ir, compiler.Graph


def _estimate(
    pipeline: dict[str, Any], platform: dict[str, Any], parts: tuple[Part, ...]
) -> size.Estimate:
    text = len(json.dumps(pipeline, separators=(",", ":")))
    text += len(json.dumps(platform, separators=(",", ":")))
    code = sum(len(word) for part in parts for word in part.args)
    return size.estimate(text, size.tasks_in(pipeline), code)


def too_large(plan: Plan, estimate: size.Estimate) -> Problem:
    """What to say of a pipeline that makes a Workflow over the limit."""
    code = f", {size.human(estimate.code)} of it for the code" if estimate.code > 200_000 else ""
    return Problem(
        f"{len(plan.tasks)} steps make a Workflow of about {size.human(estimate.total)}{code}; "
        f"Argo takes {size.human(size.LIMIT)}, {estimate.fitting(len(plan.tasks))} of them",
        "Use ParallelFor for steps that repeat, do more in each step, or split the pipeline.",
        plan.where,
    )


def write(compiled: Compiled, path: Path) -> None:
    """Write the YAML file; the same pipeline gives the same bytes."""
    import yaml

    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text = yaml.dump_all(compiled.documents(), Dumper=dumper, sort_keys=True, width=1_000_000)
    _replace(path, (compiled.comment + text).encode("utf-8"))


def _comment(plan: Plan) -> str:
    """What a reader of the file wants to know first; KFP has no place for a step's description."""
    lines = [f"{plan.name}: {summary(plan.description)}" if plan.description else plan.name]
    lines += [
        f"  {task.id}: {summary(task.step.description)}"
        for task in plan.tasks
        if task.step.description
    ]
    return "".join(f"# {' '.join(prose(line).splitlines())}\n" for line in lines)


def _replace(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    temporary.write_bytes(data)
    temporary.replace(path)
