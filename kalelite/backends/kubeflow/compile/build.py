"""`compile_plan`: from a plan to a file that Kubeflow Pipelines takes; the modules are joined here."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kalelite.atomic import write_atomically
from kalelite.backends.kubeflow.compile import workflow_size as size
from kalelite.backends.kubeflow.compile.artifact_routes import Routes
from kalelite.backends.kubeflow.compile.code_bundle import PlanCode, plan_code
from kalelite.backends.kubeflow.compile.code_notes import missing_packages
from kalelite.backends.kubeflow.compile.compile_settings import Settings, settings_for
from kalelite.backends.kubeflow.compile.components import Components
from kalelite.backends.kubeflow.compile.escaping import prose, summary
from kalelite.backends.kubeflow.compile.kfp_check import kfp_problems
from kalelite.backends.kubeflow.compile.kfp_parameters import Root, root_of
from kalelite.backends.kubeflow.compile.lower import Lowered, lower
from kalelite.backends.kubeflow.compile.mounts import CARRIED_CODE, Storage, storage_of
from kalelite.backends.kubeflow.compile.pod_sharing import requested_pods, share_pods
from kalelite.backends.kubeflow.compile.ports import Wiring
from kalelite.backends.kubeflow.compile.run_place import begun_record, place_of_run
from kalelite.backends.kubeflow.compile.setup_tasks import (
    PREPARE,
    boot_command,
    carrier_task,
    preparation,
    prepare_task,
)
from kalelite.errors import PipelineError, UsageError
from kalelite.frozen import frozen
from kalelite.plan.graph import Plan

if TYPE_CHECKING:
    from kalelite.capture.archive import DataFiles
    from kalelite.runs.run_files import KfpData


@frozen
class Compiled:
    """A compiled pipeline.

    ``root`` and ``components`` are what kfp is given, ``pipeline`` and ``platform`` its
    PipelineSpec and PlatformSpec as JSON data. ``bundle`` is the zip application that the steps
    run, ``digest`` its SHA-256. ``place`` is what the record of a run says of where it is.
    ``lacking`` tells what the image has not that steps import.
    """

    root: Root
    components: Components
    pipeline: dict[str, Any]
    platform: dict[str, Any]
    bundle: bytes
    files: DataFiles
    lacking: tuple[str, ...]
    digest: str
    storage: Storage
    place: KfpData
    estimate: size.Estimate

    @property
    def code_in_workspace(self) -> bool:
        """Whether the code has to lie in the workspace before that is snapshotted."""
        return not (self.storage.staged or self.storage.code_map)


def compile_plan(plan: Plan, path: str | os.PathLike[str], **settings: Any) -> Compiled:
    """Compile a plan into a YAML file for Kubeflow Pipelines; the same plan gives the same bytes.

    If the run works on a clone of the workspace, the code is written into the workspace, too,
    where the clone will have it. ``settings`` are those of
    `kalelite.backends.kubeflow.compile.compile_settings.Settings`.

    Raises `PipelineError` with all that KFP cannot do, or if the run would be too large,
    `CaptureError` if code or a constant cannot travel, and `UsageError` if a setting or the path
    is not usable, or kfp is not installed.
    """
    target = _checked_path(path)
    compiled = build(plan, settings_for(plan, settings))
    write(plan, compiled, target)
    return compiled


def write(plan: Plan, compiled: Compiled, path: Path) -> None:
    """Write the package to a path, and its code to where the steps will have it."""
    write_atomically(path, package(plan, compiled))
    if compiled.code_in_workspace:
        write_atomically(compiled.storage.code_path(compiled.digest), compiled.bundle)


def code_of(plan: Plan, settings: Settings) -> PlanCode:
    """The code of a plan, for `build`; raises `CaptureError`."""
    return plan_code(_lowered(plan, settings), settings.reuse)


def _lowered(plan: Plan, settings: Settings) -> Lowered:
    """The plan for KFP, with the pods that several tasks share."""
    few = settings.pods == "few"
    lowered = requested_pods(lower(plan, carries=settings.carries), few=few)
    return share_pods(lowered) if few else lowered


def package(plan: Plan, compiled: Compiled) -> bytes:
    """The YAML of a compiled plan."""
    import yaml

    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    documents = [compiled.pipeline, *([compiled.platform] if compiled.platform else [])]
    text = yaml.dump_all(documents, Dumper=dumper, sort_keys=True, width=1_000_000)
    return (_heading(plan) + text).encode("utf-8")


def build(plan: Plan, settings: Settings, code: PlanCode | None = None) -> Compiled:
    """Compile a plan and touch nothing; raises as `compile_plan`.

    ``code`` is that of the plan where it is captured already: with other volumes, or without any.
    """
    problems = kfp_problems(plan, settings)
    if problems:
        raise PipelineError(*problems)
    code = code or code_of(plan, settings)
    storage = storage_of(settings)
    root = root_of(plan, settings)
    place = place_of_run(code.wiring, storage, settings)
    begins = storage.prepared and storage.home and settings.run is None
    record = begun_record(plan, place) if begins else None
    plan_of_setup = preparation(root, storage, settings, record) if storage.prepared else b""
    bundle = code.bundle(plan_of_setup)
    digest = hashlib.sha256(bundle).hexdigest()
    setup = (prepare_task(root, digest, storage, settings),) if storage.prepared else ()
    carried = storage.prepared and not storage.code_map
    carrier = carrier_task(bundle, digest, settings) if carried else None
    handed_on = settings.carries and not storage.code_map
    components = Components(
        code.wiring,
        storage,
        settings,
        storage.code_path(digest),
        code.names(),
        setup,
        carrier,
        boot_command(digest) if handed_on else (),
        _routes(code.wiring, code_artifact=handed_on) if settings.carries else None,
    )
    pipeline, platform = _to_ir(root, components)
    estimate = size.estimate_of(pipeline, platform)
    if not estimate.fits:
        raise PipelineError(estimate.problem(plan, "about {}"))
    return Compiled(
        root=root,
        components=components,
        pipeline=pipeline,
        platform=platform,
        bundle=bundle,
        files=code.code.data,
        lacking=tuple(missing_packages(code.wiring.lowered.plan, settings, code.code)),
        digest=digest,
        storage=storage,
        place=place,
        estimate=estimate,
    )


def _routes(wiring: Wiring, *, code_artifact: bool) -> Routes:
    """The ways of artifacts, with that of the code if it is in one."""
    return Routes(wiring, CARRIED_CODE, PREPARE) if code_artifact else Routes(wiring)


def _checked_path(path: str | os.PathLike[str]) -> Path:
    """Where the file may be written; raises `UsageError` if that is not there."""
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
    return target


def _heading(plan: Plan) -> str:
    """A comment for the head of the file, for KFP has no place for a step's description."""
    lines = [f"{plan.name}: {summary(plan.description)}" if plan.description else plan.name]
    lines += [
        f"  {task.id}: {summary(task.step.description)}"
        for task in plan.tasks
        if task.step.description
    ]
    return "".join(f"# {' '.join(prose(line).splitlines())}\n" for line in lines)


def _to_ir(root: Root, components: Components) -> tuple[dict[str, Any], dict[str, Any]]:
    """Compile with kfp; a second to import, so not before it is needed."""
    try:
        from kalelite.backends.kubeflow.compile.to_ir import to_ir
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in {"kfp", "google", "kubernetes"}:
            raise
        raise UsageError(
            f"compiling for Kubeflow Pipelines needs kfp: no module {error.name!r} is here",
            hint="pip install 'kalelite[kfp]'",
        ) from error
    return to_ir(root, components)
