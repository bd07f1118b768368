"""Giving one of kfp's tasks its options."""

from __future__ import annotations

from typing import Any

from kalelite.backends.kubeflow.compile.components import Component

__all__ = ["configure"]

_FOREVER = f"{30 * 24 * 3600}s"


def configure(task: Any, component: Component) -> None:
    """Give a task its options; KFP's own cache is never right for a task with a volume."""
    config = component.config
    task.set_caching_options(False)
    if config.display_name:
        task.set_display_name(config.display_name)
    for quantity, setter in (
        (config.cpu_request, "set_cpu_request"),
        (config.cpu_limit, "set_cpu_limit"),
        (config.memory_request, "set_memory_request"),
        (config.memory_limit, "set_memory_limit"),
    ):
        if quantity is not None:
            getattr(task, setter)(quantity)
    if config.accelerator is not None:
        task.set_accelerator_type(config.accelerator[0])
        task.set_accelerator_limit(config.accelerator[1])
    for name, value in config.env.items():
        task.set_env_variable(name, value)
    if config.retry is not None:
        count, wait, factor = config.retry
        # KFP's longest duration is that of all attempts together, and an hour if nothing is said.
        task.set_retry(count, f"{wait}s", factor, _FOREVER)
    if config.ignore_failures:
        task.ignore_upstream_failure()
    if config.kubernetes:
        task.platform_config["kubernetes"] = dict(config.kubernetes)
