"""From a plan to a run: compiled, uploaded, recorded here, started."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kalelite.atomic import write_atomically
from kalelite.backends.kubeflow.compile.build import build, bundle_of, package
from kalelite.backends.kubeflow.compile.compile_settings import Settings
from kalelite.backends.kubeflow.compile.kfp_check import kfp_problems
from kalelite.backends.kubeflow.compile.kfp_parameters import kfp_value, parameter_problems
from kalelite.backends.kubeflow.follow.node_map import node_map
from kalelite.errors import PipelineError
from kalelite.frozen import frozen
from kalelite.runs.writing import RunFolder, create

if TYPE_CHECKING:
    from kalelite.backends.kubeflow.compile.build import Compiled
    from kalelite.backends.kubeflow.submit.connection import Connection, Naming
    from kalelite.backends.kubeflow.submit.kfp_service import KfpService
    from kalelite.backends.kubeflow.submit.provisioning import Supply
    from kalelite.plan.graph import Plan
    from kalelite.runs.run_files import KfpData, RunDetails
    from kalelite.volumes.owner import Owner

LONGEST_PIPELINE = 127
LONGEST_EXPERIMENT = 127
LONGEST_RUN = 255
"""Bytes that the names may have; the API answers longer ones with a fault of its own."""


@frozen
class Submitted:
    """A run that has been started: its record here, and where it is."""

    folder: RunFolder
    url: str
    data: KfpData


def submit(
    plan: Plan,
    arguments: Mapping[str, Any],
    service: KfpService,
    connection: Connection,
    settings: Settings,
    naming: Naming,
    home: Path | None,
    supply: Supply,
    details: RunDetails,
    note: Callable[[str], None],
) -> Submitted:
    """Start a run of a plan that was checked; ``settings`` hold no arguments.

    The record is there before the run is: whoever is killed in between finds it again. ``supply``
    makes what the run needs in the cluster; ``note`` hears what its steps will not find there.
    ``details`` are for its record.

    Raises
    ------
    PipelineError, CaptureError, UsageError
        The plan cannot run on Kubeflow Pipelines; nothing was started.
    ClusterError
        The cluster or the API has refused it, or does not answer.
    """
    require_runnable(plan, settings, arguments)
    bundle = bundle_of(plan, settings)
    folder = create(plan, arguments, folder=home, **details)
    folder.draw()
    owner: Owner | None = None
    try:
        provided = supply(folder.id, bundle)
        owner = provided.owner
        compiled = build(plan, provided.settings)
        path = folder.folder / "pipeline.yaml"
        text = _written(plan, compiled, path, note)
        data = _data(plan, folder.id, connection, service, provided.settings, naming, compiled)
        data["passing"] = not settings.lasts
        folder.update(kfp=data)
        run = service.start(
            service.upload(fitted(plan.name, LONGEST_PIPELINE), digest_of(text), path),
            name=data["name"],
            marker=marker(folder.id),
            experiment=service.experiment(data["experiment"]),
            parameters=runtime_parameters(plan, arguments, compiled),
            account=naming.account or None,
        )
    except BaseException:
        folder.finish("failed")
        if owner is not None:
            supply.withdraw(owner)
        raise
    data = {**data, "run": run}
    folder.update(kfp=data, url=service.url(run))
    if owner is not None:
        supply.hand_over(owner, run)
    return Submitted(folder, service.url(run), data)


def require_runnable(plan: Plan, settings: Settings, arguments: Mapping[str, Any]) -> None:
    """Raise `PipelineError` with all that KFP has against a plan and the values of its parameters."""
    asked = replace(settings, arguments=arguments)
    problems = [*kfp_problems(plan, settings), *parameter_problems(plan, asked)]
    if problems:
        raise PipelineError(*problems)


def _written(plan: Plan, compiled: Compiled, path: Path, note: Callable[[str], None]) -> bytes:
    """The pipeline's package, written to the path; its code is where the steps will have it."""
    for line in compiled.lacking:
        note(line)
    text = package(plan, compiled)
    write_atomically(path, text)
    if compiled.code_in_workspace:
        write_atomically(compiled.storage.code_path(compiled.digest), compiled.bundle)
    return text


def _data(
    plan: Plan,
    id: str,
    connection: Connection,
    service: KfpService,
    settings: Settings,
    naming: Naming,
    compiled: Compiled,
) -> KfpData:
    experiment = naming.experiment or plan.options.experiment or "Default"
    volume = settings.marshal_volume
    batches = compiled.components.wiring.batches
    clone = next((each.made for each in settings.clones if each.workspace), "")
    return {
        "run": "",
        "name": fitted(naming.run or f"{plan.name} {id}", LONGEST_RUN),
        "host": connection.kfp_host or "",
        "context": connection.kfp_context or "",
        "namespace": service.namespace or "",
        "experiment": fitted(experiment, LONGEST_EXPERIMENT),
        "nodes": {
            path: item for path, item in node_map(compiled.pipeline).items() if item not in batches
        },
        "pods": compiled.components.wiring.tasks_of_pods(),
        "home": compiled.storage.home,
        "claim": volume if isinstance(volume, str) else clone,
        "records": settings.run or "",
        "image": settings.default_image,
        "user": -1 if settings.run_as_user is None else settings.run_as_user,
        "group": -1 if settings.run_as_group is None else settings.run_as_group,
    }


def digest_of(text: bytes) -> str:
    """What a version of a pipeline is called: the same for the same package."""
    return hashlib.sha256(text).hexdigest()[:16]


def runtime_parameters(
    plan: Plan, arguments: Mapping[str, Any], compiled: Compiled
) -> dict[str, Any]:
    """The values that differ from the defaults in the pipeline, by their names there."""
    given: dict[str, Any] = {}
    for parameter in plan.parameters:
        if parameter.name not in arguments:
            continue
        shown = compiled.root.parameters[parameter.name]
        value = kfp_value(parameter, arguments[parameter.name])
        if _differs(value, shown.default):
            given[shown.name] = value
    return given


def _differs(value: Any, default: Any) -> bool:
    # As text: 1 and True are equal to Python, and two parameters to KFP.
    encode: Callable[[Any], str] = json.JSONEncoder(default=repr, sort_keys=True).encode
    return encode(value) != encode(default)


def marker(run: str) -> str:
    """The description by which a run of ours is known."""
    return f"kalelite run {run}"


def fitted(name: str, limit: int) -> str:
    """The name in so many bytes; one that is cut ends in a part of its digest."""
    encoded = name.encode("utf-8", "replace")
    if len(encoded) <= limit:
        return encoded.decode()
    digest = hashlib.sha256(encoded).hexdigest()[:8]
    return f"{encoded[: limit - 9].decode('utf-8', 'ignore')}-{digest}"
