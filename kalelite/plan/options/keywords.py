"""The options as keyword arguments, for type checkers and editors; `option_table` has the rest.

None is the same as leaving an option out. Spellings of Kale are accepted at run time only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Literal, TypedDict

from kalelite.plan.options import values
from kalelite.plan.options.option_table import StepOptions

_Texts = list[str] | tuple[str, ...] | AbstractSet[str]  # a single text would be a Sequence, too
_Secret = values.SecretEnv | values.SecretFiles
_ConfigMap = values.ConfigMapEnv | values.ConfigMapFiles


class ContainerKeywords(TypedDict, total=False):
    """The options that every step has, of a container or of Python."""

    display_name: str | None
    cpu: float | str | None
    cpu_limit: float | str | None
    memory: float | str | None
    memory_limit: float | str | None
    gpu: int | None
    accelerator: str | None
    ephemeral_storage: float | str | None
    ephemeral_storage_limit: float | str | None
    retries: int | values.Retries | Mapping[str, Any] | None
    timeout: float | str | None
    cache: bool | None
    ignore_failures: bool | None
    env: Mapping[str, str] | None
    secrets: Mapping[str, tuple[str, str] | str | _Secret] | Sequence[_Secret] | None
    config_maps: Mapping[str, tuple[str, str] | str | _ConfigMap] | Sequence[_ConfigMap] | None
    volumes: Mapping[str, str | values.Volume] | Sequence[values.Volume] | None
    node_selector: Mapping[str, str] | None
    tolerations: Sequence[str | Mapping[str, Any] | values.Toleration] | None
    affinity: Mapping[str, Any] | None
    labels: Mapping[str, str] | None
    annotations: Mapping[str, str] | None
    pull_policy: Literal["Always", "IfNotPresent", "Never"] | None
    pull_secrets: _Texts | None
    security_context: values.SecurityContext | Mapping[str, Any] | None


class StepKeywords(ContainerKeywords, total=False):
    """The options of a step, as users write them."""

    name: str | None
    image: str | None
    packages: _Texts | None


class PipelineKeywords(TypedDict, total=False):
    """The options of a pipeline, as users write them."""

    name: str | None
    description: str | None
    experiment: str | None
    order: Literal["data", "calls"]
    marshal: Literal["volume", "artifacts"] | None
    marshal_volume: bool | str | None
    marshal_volume_size: float | str | None
    marshal_path: str | None
    pods: Literal["few", "each"] | None
    defaults: StepKeywords | StepOptions


class CompileKeywords(TypedDict, total=False):
    """Settings of a compilation for Kubeflow Pipelines; they win over the pipeline's options.

    ``arguments`` become the defaults of the pipeline's parameters. ``image`` is that of steps
    that name none, ``python`` the minor version of its Python (``"3.12"``). ``storage_class`` and
    ``access_mode`` are those of a marshal volume that is made for the run, ``snapshot_class`` that
    of snapshots, which may take ``snapshot_timeout``, ``run_as_user`` and
    ``run_as_group`` whom steps run as that do not say. ``kfp_version`` is that of the cluster.
    With ``pods="few"`` steps that fit together share a pod.
    """

    arguments: Mapping[str, Any] | None
    image: str | None
    python: str | None
    marshal: Literal["volume", "artifacts"] | None
    marshal_volume: bool | str | None
    marshal_volume_size: float | str | None
    marshal_path: str | None
    storage_class: str | None
    access_mode: str | None
    snapshot_class: str | None
    snapshot_timeout: float | str | None
    run_as_user: int | None
    run_as_group: int | None
    kfp_version: str | None
    pods: Literal["few", "each"] | None
