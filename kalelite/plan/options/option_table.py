"""The table of options: every option of a step and of a pipeline, declared once.

`keywords` spells the same names for type checkers; each backend says what it does with them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from kalelite.frozen import frozen
from kalelite.plan import names
from kalelite.plan.options import alias, duration, parse, parts, quantity, values
from kalelite.plan.options.option import by_key, by_target, option, options_of


def _short_image(name: str) -> str:
    last = name.partition("@")[0].rpartition("/")[2]
    return last if len(last) <= 24 else last[:23] + "…"


@frozen
class StepOptions:
    """Options of a step in their normal form; None or an empty collection is no option.

    Quantities are text as Kubernetes spells it (`quantity` turns it into numbers); ``timeout`` is
    in seconds.
    """

    name: str | None = option(
        "the task's name; the function's own unless it is given", '"train-big"', parse.short_text
    )
    display_name: str | None = option(
        "what pictures and lists call the step",
        '"Train the model"',
        parse.short_text,
        near=("title",),
    )
    cpu: str | None = option(
        "cores that the step needs",
        "2 or 0.5 or '500m'",
        quantity.cpu,
        near=("cpu_request",),
        badge=lambda value: f"cpu {value}",
    )
    cpu_limit: str | None = option(
        "cores that it gets at most", "4", quantity.cpu, aliases={"limits": alias.limits}
    )
    memory: str | None = option(
        "memory that the step needs: bytes, or a text",
        '"8Gi"',
        quantity.memory,
        near=("memory_request", "ram"),
        badge=str,
    )
    memory_limit: str | None = option("memory that it gets at most", '"16Gi"', quantity.memory)
    gpu: int | None = option(
        "how many GPUs the step needs",
        "1",
        parse.gpu,
        near=("gpu_limit", "accelerator_limit"),
        badge=lambda value: f"gpu {value}" if value else "",
    )
    accelerator: str | None = option(
        "which resource `gpu` counts; `nvidia.com/gpu` unless it is given",
        '"amd.com/gpu"',
        parse.accelerator,
        near=("gpu_type",),
    )
    ephemeral_storage: str | None = option(
        "disk of the node that the step needs", '"20Gi"', quantity.memory, near=("storage", "disk")
    )
    ephemeral_storage_limit: str | None = option(
        "disk of the node that it gets at most", '"40Gi"', quantity.memory
    )
    retries: values.Retries | None = option(
        "how often a failed attempt is tried again, and after which wait",
        '3 or Retries(3, wait="10s", factor=2, max_wait="5m", only=(OSError,))',
        parts.retries,
        aliases={
            "retry_count": alias.retries_field("count"),
            "retry_interval": alias.retries_field("wait"),
            "retry_factor": alias.retries_field("factor"),
            "retry_max_interval": alias.retries_field("max_wait"),
        },
        badge=lambda value: f"retry {value.count}" if value.count else "",
    )
    timeout: float | None = option(
        "when an attempt is stopped: seconds, or a text",
        '90 or "1h30m"',
        duration.seconds,
        near=("time_limit",),
        badge=lambda value: f"max {duration.spell(value)}",
    )
    cache: bool | None = option(
        "True: the result of an earlier run is taken if the code, the libraries that it imports,"
        " the inputs, `env` and `packages` are the same; else the step runs, as steps may do more"
        " than return a value",
        "True",
        parse.flag,
        near=("enable_caching",),
        badge=lambda value: "cache" if value else "",
    )
    ignore_failures: bool | None = option(
        "the step runs even if what it waits for has failed",
        "True",
        parse.flag,
        badge=lambda value: "always" if value else "",
    )
    image: str | None = option(
        "the container image that the step runs in",
        '"python:3.11"',
        parse.image,
        aliases={"docker_image": alias.renamed, "base_image": alias.renamed},
        container="Make another container_step for another image.",
        badge=_short_image,
    )
    packages: tuple[str, ...] = option(
        "packages that the step needs, as pip takes them",
        '["pandas>=2"]',
        parse.packages,
        default=(),
        aliases={"packages_to_install": alias.renamed},
        near=("requirements", "pip"),
        container="Build an image that holds them.",
    )
    env: Mapping[str, str] = option(
        "environment variables; a value that looks like a secret is refused unless it is"
        " `NotSecret(…)`",
        '{"MODE": "fast"}',
        parse.env,
        default={},
        merge=by_key,
        near=("environment", "env_vars"),
    )
    secrets: tuple[values.SecretEnv | values.SecretFiles, ...] = option(
        "a Secret of Kubernetes as variables or as files",
        '{"TOKEN": ("name", "key"), "/creds": "name"}',
        parts.secrets,
        default=(),
        merge=by_target,
    )
    config_maps: tuple[values.ConfigMapEnv | values.ConfigMapFiles, ...] = option(
        "a ConfigMap of Kubernetes as variables or as files",
        '{"MODE": ("name", "key"), "/settings": "name"}',
        parts.config_maps,
        default=(),
        merge=by_target,
    )
    volumes: tuple[values.Volume, ...] = option(
        "claims that are mounted",
        '{"/data": "claim"} or [Volume("claim", "/data", read_only=True, sub_path="x")]',
        parts.volumes,
        default=(),
        merge=by_target,
        near=("mounts", "pvc"),
    )
    node_selector: Mapping[str, str] = option(
        "labels of the nodes that the pod may run on",
        '{"disk": "ssd"}',
        parse.pod_labels,
        default={},
        merge=by_key,
    )
    tolerations: tuple[values.Toleration, ...] = option(
        "taints of nodes that the pod tolerates",
        '["gpu=yes:NoSchedule"]',
        parts.tolerations,
        default=(),
    )
    affinity: Mapping[str, Any] | None = option(
        "the pod's affinity, as in Kubernetes", '{"nodeAffinity": {…}}', parts.affinity
    )
    labels: Mapping[str, str] = option(
        "labels of the pod", '{"team": "research"}', parse.pod_labels, default={}, merge=by_key
    )
    annotations: Mapping[str, str] = option(
        "annotations of the pod",
        '{"example.com/owner": "me"}',
        parse.pod_annotations,
        default={},
        merge=by_key,
    )
    pull_policy: str | None = option("when the image is pulled", '"Always"', parse.pull_policy)
    pull_secrets: tuple[str, ...] = option(
        "Secrets that the image is pulled with",
        '["registry"]',
        parse.pull_secrets,
        default=(),
    )
    security_context: values.SecurityContext | None = option(
        "user and group that the step runs as",
        "SecurityContext(run_as_user=1000, run_as_group=100)",
        parts.security_context,
    )

    def explicit(self) -> dict[str, Any]:
        """The options that are given, by name."""
        every = {each.name: getattr(self, each.name) for each in fields(self)}
        empty: tuple[Any, ...] = (None, (), {})
        return {name: value for name, value in every.items() if value not in empty}

    @property
    def memory_bound(self) -> int:
        """The bytes that a step may have; 0 for no bound. A limit goes before a request."""
        wanted = self.memory_limit or self.memory
        return quantity.size_of(wanted) if wanted else 0


def _step_defaults(value: Any, name: str) -> Any:
    """Options of steps, or keyword arguments of some, which are read and checked later."""
    return value if isinstance(value, StepOptions) else parse.keyword_arguments(value, name)


@frozen
class PipelineOptions:
    """Options of a pipeline in their normal form."""

    name: str | None = option(
        "the pipeline's name; the function's own unless it is given",
        '"train"',
        parse.text,
        aliases={"pipeline_name": alias.renamed},
    )
    description: str | None = option(
        "what it does; the function's docstring unless it is given",
        '"Trains."',
        parse.text,
        aliases={"pipeline_description": alias.renamed},
    )
    experiment: str | None = option(
        "the experiment that runs are filed under",
        '"digits"',
        parse.short_text,
        aliases={"experiment_name": alias.renamed},
    )
    order: str = option(
        '`"data"`: a step waits for the values that it takes; `"calls"`: for the step called'
        " before it, too",
        '"calls"',
        parse.order,
        default="data",
    )
    marshal: str | None = option(
        'how values get from step to step on Kubeflow Pipelines: `"volume"`: on a volume that all'
        ' steps mount; `"artifacts"`: through its object store, with no volume',
        '"artifacts"',
        parse.marshal,
    )
    marshal_volume: bool | str | None = option(
        "where values are stored: True is a volume of its own for each run, a name is that claim,"
        " for all runs",
        'True or "claim"',
        parse.claim_or_flag,
    )
    marshal_volume_size: str | None = option(
        "size of a run's own volume; of a claim: what has to be free there when a run begins",
        '"10Gi"',
        quantity.memory,
    )
    marshal_path: str | None = option(
        "the path at which steps find that volume", '"/data/marshal"', names.mount_path
    )
    pods: str | None = option(
        '`"few"`: on Kubeflow Pipelines, steps that fit together run in one pod, one process each;'
        ' `"each"`: every step has a pod of its own',
        '"few"',
        parse.pods,
    )
    defaults: StepOptions = option(
        "options of every step that does not give them itself",
        '{"memory": "2Gi"}',
        _step_defaults,
        default=StepOptions(),
        aliases={
            "steps_defaults": alias.defaults,
            "docker_image": alias.default_of("image"),
            "volumes": alias.default_volumes,
        },
    )


STEP_OPTIONS = options_of(StepOptions)
"""Every option of a step, in the order of the documentation."""

PIPELINE_OPTIONS = options_of(PipelineOptions)
"""Every option of a pipeline, likewise."""
