"""Options that are right one by one and contradict each other."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from kalelite.errors import Problem, Where
from kalelite.plan.options import quantity
from kalelite.plan.options.option_table import PipelineOptions, StepOptions
from kalelite.source import locations as places

_PAIRS = (
    ("cpu", "cpu_limit"),
    ("memory", "memory_limit"),
    ("ephemeral_storage", "ephemeral_storage_limit"),
)


def check(options: StepOptions, where: Where | None = None) -> list[Problem]:
    """What in a step's options contradicts itself; for merged options, too."""
    problems = []
    for request, limit in _PAIRS:
        least, most = getattr(options, request), getattr(options, limit)
        if least and most and quantity.parse(least) > quantity.parse(most):
            message = f"{request}={least!r} is more than {limit}={most!r}"
            hint = f"Raise {limit}, or leave it out: it is then the same as {request}."
            problems.append(Problem(message, hint, places.of_keyword(where, request)))
    sources = [*options.secrets, *options.config_maps]
    variables = [*options.env, *(getattr(source, "variable", "") for source in sources)]
    for variable in sorted({name for name in variables if name and variables.count(name) > 1}):
        message = f"the environment variable {variable!r} is given in two ways"
        problems.append(Problem(message, "Leave one of env, secrets and config_maps out.", where))
    return [*problems, *_mounts(options, where)]


def check_pipeline(options: PipelineOptions, where: Where | None = None) -> list[Problem]:
    """What in a pipeline's options contradicts itself."""
    problems = []
    for name in ("marshal_volume_size", "marshal_path"):
        if getattr(options, name) and not options.marshal_volume:
            message = f"{name} goes with a marshal volume, and there is none"
            problems.append(Problem(message, "Write marshal_volume=True, too.", where))
    if options.marshal == "artifacts" and options.marshal_volume:
        message = "values travel as artifacts, or on a marshal volume"
        problems.append(Problem(message, "Leave marshal or marshal_volume out.", where))
    taken = {volume.path for volume in options.defaults.volumes}
    if options.marshal_volume and options.marshal_path in taken:
        message = f"marshal_path={options.marshal_path!r} is taken by a volume of the steps"
        problems.append(Problem(message, "Choose another path.", where))
    if options.defaults.name:
        hint = "Leave it out: a name belongs to one step."
        problems.append(Problem("defaults: one name cannot be that of every step", hint, where))
    return problems


def _mounts(options: StepOptions, where: Where | None) -> Iterator[Problem]:
    """Folders that are mounted at one place, or one inside the other."""
    mounts = sorted(
        (str(entry.path), kind)
        for kind in ("volumes", "secrets", "config_maps")
        for entry in getattr(options, kind)
        if hasattr(entry, "path")
    )
    for (path, kind), (other, other_kind) in combinations(mounts, 2):
        if other == path:
            message = f"{kind} and {other_kind} are both mounted at {path!r}"
            yield Problem(message, "Give each a path of its own.", where)
        elif other.startswith(path + "/"):
            message = f"{other_kind} at {other!r} would lie inside {kind} at {path!r}"
            yield Problem(message, "Mount them side by side.", where)
