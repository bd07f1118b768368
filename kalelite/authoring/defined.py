"""The pipelines that were defined in this process."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kalelite.authoring.pipeline import Pipeline

__all__ = ["pipelines_of", "register"]

_defined: list[weakref.ref[Pipeline[..., Any]]] = []


def register(pipeline: Pipeline[..., Any]) -> None:
    """Make a pipeline known to `pipelines_of`."""
    _defined[:] = [ref for ref in _defined if ref() is not None]
    _defined.append(weakref.ref(pipeline))


def pipelines_of(namespace: Mapping[str, Any] | None = None) -> list[Pipeline[..., Any]]:
    """Pipelines in the order of their definition: all, or those that a namespace holds."""
    pipelines = [pipeline for ref in _defined if (pipeline := ref()) is not None]
    if namespace is None:
        return pipelines
    here = {id(value) for value in namespace.values()}
    return [pipeline for pipeline in pipelines if id(pipeline) in here]
