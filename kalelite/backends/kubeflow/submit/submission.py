"""From a plan to a run: compiled, uploaded, recorded here, started."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kalelite.backends.kubeflow.compile.build import build, code_of, write
from kalelite.backends.kubeflow.compile.kfp_check import kfp_problems
from kalelite.backends.kubeflow.compile.kfp_parameters import kfp_value, parameter_problems
from kalelite.backends.kubeflow.follow.node_map import node_map
from kalelite.backends.kubeflow.submit.kfp_service import RunBody
from kalelite.errors import PipelineError
from kalelite.runs.kept_results import write_keys
from kalelite.runs.writing import RunFolder, create

if TYPE_CHECKING:
    from kalelite.backends.kubeflow.compile.build import Compiled
    from kalelite.backends.kubeflow.compile.code_bundle import PlanCode
    from kalelite.backends.kubeflow.compile.compile_settings import Settings
    from kalelite.backends.kubeflow.submit.kfp_service import KfpService
    from kalelite.backends.kubeflow.submit.provisioning import Supply
    from kalelite.backends.kubeflow.submit.run_request import RunRequest
    from kalelite.plan.graph import Plan
    from kalelite.runs.run_files import KfpData
    from kalelite.volumes.owner import Owner

_LONGEST_NAME = 127
_LONGEST_RUN = 255
"""Bytes that the names of a pipeline or experiment, and of a run, may have; the API answers longer
ones with a fault of its own."""


def submit(
    plan: Plan,
    arguments: Mapping[str, Any],
    request: RunRequest,
    settings: Settings,
    service: KfpService,
    supply: Supply,
    note: Callable[[str], None],
) -> tuple[RunFolder, KfpData]:
    """Start a run of a plan that was checked; ``settings`` hold no arguments.

    The record is there before the run is: whoever is killed in between finds it again. ``supply``
    makes what the run needs in the cluster; ``note`` hears what its steps will not find there.

    Returns
    -------
    tuple[RunFolder, KfpData]
        Its record here, and where it is.

    Raises
    ------
    PipelineError, CaptureError, UsageError
        The plan cannot run on Kubeflow Pipelines; nothing was started.
    ClusterError
        The cluster or the API has refused it, or does not answer.
    """
    require_runnable(plan, settings, arguments)
    code = code_of(plan, settings)
    folder = create(plan, arguments, folder=request.home, **request.details(settings))
    folder.draw()
    owner: Owner | None = None
    try:
        provided = supply(folder.id, code.bundle())
        owner = provided.owner
        compiled = build(plan, provided.settings, code)
        path = folder.folder / "pipeline.yaml"
        for line in compiled.lacking:
            note(line)
        write(plan, compiled, path)
        data = _data(plan, folder.id, request, service, compiled)
        data["passing"] = not (settings.lasts or settings.carries)
        folder.update(kfp=data)
        _keep(code, folder)
        of = marker(folder.id)
        body = run_body(plan, arguments, request, service, compiled, path, data["name"], of)
        run = service.start(body)
    except BaseException as error:
        folder.finish("failed")
        if owner is not None:
            supply.withdraw(owner, error)
        raise
    data = {**data, "run": run}
    folder.update(kfp=data, url=service.url(run))
    if owner is not None:
        supply.hand_over(owner, run)
    return folder, data


def run_body(
    plan: Plan,
    arguments: Mapping[str, Any],
    request: RunRequest,
    service: KfpService,
    compiled: Compiled,
    path: Path,
    name: str,
    marker: str,
) -> RunBody:
    """What the API is asked for; the package at the path is uploaded, and its experiment there."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[
        :16
    ]  # the same package, the same version
    return RunBody(
        service.upload(_fitted(plan.name, _LONGEST_NAME), digest, path),
        _fitted(name, _LONGEST_RUN),
        marker,
        service.experiment(_fitted(request.experiment_of(plan), _LONGEST_NAME)),
        _runtime_parameters(plan, arguments, compiled),
        request.service_account or None,
    )


def require_runnable(plan: Plan, settings: Settings, arguments: Mapping[str, Any]) -> None:
    """Raise `PipelineError` with all that KFP has against a plan and the values of its parameters."""
    asked = replace(settings, arguments=arguments)
    problems = [*kfp_problems(plan, settings), *parameter_problems(plan, asked)]
    if problems:
        raise PipelineError(*problems)


def _keep(code: PlanCode, folder: RunFolder) -> None:
    """Keep the code of a run, and what its results depend on, as `kalelite explain` reads them."""
    installed = code.code.installed(folder.home / "code")
    folder.update(code=str(installed.relative_to(folder.home)))
    write_keys(folder.folder, code.keys())


def _data(
    plan: Plan,
    id: str,
    request: RunRequest,
    service: KfpService,
    compiled: Compiled,
) -> KfpData:
    return {
        **compiled.place,
        "name": _fitted(request.run_name or f"{plan.name} {id}", _LONGEST_RUN),
        "host": request.connection.kfp_host or "",
        "context": request.connection.kfp_context or "",
        "namespace": service.namespace or "",
        "experiment": _fitted(request.experiment_of(plan), _LONGEST_NAME),
        "nodes": node_map(compiled.pipeline, compiled.place.get("batches", ())),
    }


def _runtime_parameters(
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


def _fitted(name: str, limit: int) -> str:
    """The name in so many bytes; one that is cut ends in a part of its digest."""
    encoded = name.encode("utf-8", "replace")
    if len(encoded) <= limit:
        return encoded.decode()
    digest = hashlib.sha256(encoded).hexdigest()[:8]
    return f"{encoded[: limit - 9].decode('utf-8', 'ignore')}-{digest}"
