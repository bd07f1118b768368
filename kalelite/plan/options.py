"""What may be said about a step or a pipeline besides its code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["PipelineOptions", "StepOptions"]


@dataclass(frozen=True, slots=True)
class StepOptions:
    """Options of a step; None (or an empty collection) means that nothing was said."""

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
    secrets: tuple[Any, ...] = ()
    config_maps: tuple[Any, ...] = ()
    volumes: tuple[Any, ...] = ()
    retries: Any = None
    timeout: float | None = None
    cache: bool | None = None
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Any, ...] = ()
    affinity: Any = None
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    pull_policy: str | None = None
    pull_secrets: tuple[str, ...] = ()
    security_context: Any = None
    packages: tuple[str, ...] = ()
    ignore_failures: bool = False
    display_name: str | None = None


@dataclass(frozen=True, slots=True)
class PipelineOptions:
    """Options of a pipeline."""

    experiment: str | None = None
    order: str = "data"
    marshal_volume: bool | str | None = None
    marshal_volume_size: str | None = None
    marshal_path: str | None = None
    defaults: StepOptions = field(default_factory=StepOptions)
