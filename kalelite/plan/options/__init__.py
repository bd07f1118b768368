"""What may be said about a step or a pipeline besides its code.

A step's options come from three places; what is said nearer to the call wins:

    train.options(memory="8Gi")(x)          the call
    @step(memory="4Gi")                     the decorator
    @pipeline(defaults={"memory": "2Gi"})   the pipeline

Collections are joined key by key: environment variables by name, volumes by path, and so on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from kalelite.errors import Problem, UsageError, Where
from kalelite.plan.options import alias, parse, quantity
from kalelite.plan.options.values import (
    ConfigMapEnv,
    ConfigMapFiles,
    Retries,
    SecretEnv,
    SecretFiles,
    SecurityContext,
    Toleration,
    Volume,
)
from kalelite.source import locations as places

__all__ = ["PipelineOptions", "StepOptions", "check", "merge", "pipeline_options", "step_options"]


_PAIRS = (
    ("cpu", "cpu_limit"),
    ("memory", "memory_limit"),
    ("ephemeral_storage", "ephemeral_storage_limit"),
)


@dataclass(frozen=True, slots=True)
class StepOptions:
    """Options of a step; None (or an empty collection) means that nothing was said.

    Quantities are text as Kubernetes spells it (`kalelite.plan.options.quantity` turns it into numbers);
    ``timeout`` is in seconds.
    """

    name: str | None = None
    image: str | None = None
    cpu: str | None = None
    cpu_limit: str | None = None
    memory: str | None = None
    memory_limit: str | None = None
    gpu: int | None = None
    accelerator: str | None = None
    ephemeral_storage: str | None = None
    ephemeral_storage_limit: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[SecretEnv | SecretFiles, ...] = ()
    config_maps: tuple[ConfigMapEnv | ConfigMapFiles, ...] = ()
    volumes: tuple[Volume, ...] = ()
    retries: Retries | None = None
    timeout: float | None = None
    cache: bool | None = None
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Toleration, ...] = ()
    affinity: Mapping[str, Any] | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    pull_policy: str | None = None
    pull_secrets: tuple[str, ...] = ()
    security_context: SecurityContext | None = None
    packages: tuple[str, ...] = ()
    ignore_failures: bool | None = None
    display_name: str | None = None

    def said(self) -> dict[str, Any]:
        """The options that say something."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        empty: tuple[Any, ...] = (None, (), {})
        return {name: value for name, value in values.items() if value not in empty}


@dataclass(frozen=True, slots=True)
class PipelineOptions:
    """Options of a pipeline.

    Attributes
    ----------
    experiment
        The experiment of Kubeflow Pipelines that runs are filed under.
    order
        ``"data"``: a step waits for the values that it takes; ``"calls"``: it waits for the step
        called before it, too.
    marshal_volume
        True provisions a volume for the values of each run; a name is a lasting claim.
    marshal_volume_size
        Size of a provisioned volume.
    marshal_path
        Where the steps find it.
    defaults
        Options for every step.
    """

    experiment: str | None = None
    order: str = "data"
    marshal_volume: bool | str | None = None
    marshal_volume_size: str | None = None
    marshal_path: str | None = None
    defaults: StepOptions = field(default_factory=StepOptions)


def step_options(where: Where | None = None, **said: Any) -> tuple[StepOptions, list[Problem]]:
    """Options of a step from keyword arguments, each checked.

    Returns
    -------
    StepOptions
        The options that are usable.
    list of Problem
        One for each that is not, with what to write instead, at ``where``.
    """
    said, problems = alias.translate(said, alias.STEP, where)
    known = {item.name for item in fields(StepOptions)}
    values, more = _parse(said, known, parse.STEP, where, "a step")
    options = StepOptions(**values)
    return options, [*problems, *more, *check(options, where)]


def pipeline_options(
    where: Where | None = None, **said: Any
) -> tuple[PipelineOptions, list[Problem]]:
    """Options of a pipeline from keyword arguments, each checked; as `step_options`."""
    said, problems = alias.translate(said, alias.PIPELINE, where)
    problems += _misplaced(said, where)
    defaults = said.pop("defaults", None)
    known = {item.name for item in fields(PipelineOptions)}
    values, more = _parse(said, known, parse.PIPELINE, where, "a pipeline")
    problems += more
    if isinstance(defaults, StepOptions):
        values["defaults"] = defaults
    elif isinstance(defaults, Mapping) and all(isinstance(key, str) for key in defaults):
        values["defaults"], more = step_options(where, **defaults)
        problems += more
    elif defaults is not None:
        hint = 'Write the options of every step as a dict: defaults={"memory": "2Gi"}.'
        problems.append(Problem(f"defaults={defaults!r} is not a dict of options", hint, where))
    if values.get("defaults", StepOptions()).name:
        hint = "Leave it out: a name belongs to one step."
        problems.append(Problem("defaults: one name cannot be that of every step", hint, where))
    options = PipelineOptions(**values)
    return options, [*problems, *_check_pipeline(options, where)]


def merge(default: StepOptions, decorator: StepOptions, call: StepOptions) -> StepOptions:
    """The options that a call really has: ``call`` over ``decorator`` over ``default``.

    Collections are joined key by key (env, labels and the like by key, secrets and config maps
    by variable or path, volumes by path); everything else is taken whole from the nearest place
    that says it. `check` tells whether the result fits together.
    """
    result = default
    for nearer in (decorator, call):
        changes = {
            name: parse.join(name, getattr(result, name), value)
            for name, value in nearer.said().items()
        }
        if changes:
            result = replace(result, **changes)
    return result


def check(options: StepOptions, where: Where | None = None) -> list[Problem]:
    """What in a step's options contradicts itself; run on merged options, too."""
    problems = []
    for request, limit in _PAIRS:
        asked, most = getattr(options, request), getattr(options, limit)
        if asked and most and quantity.parse(asked) > quantity.parse(most):
            message = f"{request}={asked!r} is more than {limit}={most!r}"
            hint = f"Raise {limit}, or leave it out: it is then the same as {request}."
            problems.append(Problem(message, hint, places.of_keyword(where, request)))
    for variable in _twice_in_environment(options):
        message = f"the environment variable {variable!r} is given in two ways"
        problems.append(Problem(message, "Leave one of env, secrets and config_maps out.", where))
    problems += _mounts(options, where)
    return problems


def _check_pipeline(options: PipelineOptions, where: Where | None = None) -> list[Problem]:
    """What in a pipeline's options contradicts itself."""
    provisioned = options.marshal_volume is True
    problems = []
    if options.marshal_volume_size and isinstance(options.marshal_volume, str):
        message = (
            f"marshal_volume_size goes with a new volume; {options.marshal_volume!r} exists already"
        )
        hint = "Leave the size out, or write marshal_volume=True."
        problems.append(Problem(message, hint, where))
    for name in ("marshal_volume_size", "marshal_path"):
        if getattr(options, name) and not options.marshal_volume:
            message = f"{name} goes with a marshal volume, and there is none"
            problems.append(Problem(message, "Write marshal_volume=True, too.", where))
    taken = {volume.path for volume in options.defaults.volumes}
    if options.marshal_path in taken and (provisioned or options.marshal_volume):
        message = f"marshal_path={options.marshal_path!r} is taken by a volume of the steps"
        problems.append(Problem(message, "Choose another path.", where))
    return problems


def _parse(
    said: Mapping[str, Any],
    known: set[str],
    parsers: Mapping[str, parse.Parser],
    where: Where | None,
    owner: str,
) -> tuple[dict[str, Any], list[Problem]]:
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for name, value in said.items():
        if name not in known:
            problems.append(alias.unknown(name, known, owner, places.of_keyword(where, name)))
        elif value is not None:
            try:
                values[name] = parsers[name](value, name)
            except UsageError as error:
                place = places.of_keyword(where, name)
                problems.append(Problem(error.message, error.hint, place))
    return values, problems


def _misplaced(said: dict[str, Any], where: Where | None) -> list[Problem]:
    """Take out the options of steps that were given to the pipeline itself."""
    step = {item.name for item in fields(StepOptions)} - {"name"}
    return [
        Problem(
            f"{name!r} is an option of steps, not of a pipeline",
            f"For every step of the pipeline, write defaults={{{name!r}: {said.pop(name)!r}}}.",
            where,
        )
        for name in [name for name in said if name in step]
    ]


def _twice_in_environment(options: StepOptions) -> list[str]:
    sources = [*options.secrets, *options.config_maps]
    variables = [*options.env, *(getattr(source, "variable", "") for source in sources)]
    return sorted({name for name in variables if name and variables.count(name) > 1})


def _mounts(options: StepOptions, where: Where | None) -> list[Problem]:
    """Folders that are mounted at one place, or one inside the other."""
    mounts = sorted(
        (str(entry.path), kind)
        for kind in ("volumes", "secrets", "config_maps")
        for entry in getattr(options, kind)
        if hasattr(entry, "path")
    )
    problems = []
    for index, (path, kind) in enumerate(mounts):
        for other, other_kind in mounts[index + 1 :]:
            if other == path:
                message = f"{kind} and {other_kind} are both mounted at {path!r}"
                problems.append(Problem(message, "Give each a path of its own.", where))
            elif other.startswith(path + "/"):
                message = f"{other_kind} at {other!r} would lie inside {kind} at {path!r}"
                problems.append(Problem(message, "Mount them side by side.", where))
    return problems
