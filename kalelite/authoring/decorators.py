"""The two decorators. What they do is imported when one is called: importing them takes no time."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, Unpack, overload

if TYPE_CHECKING:
    from collections.abc import Callable

    from kalelite.authoring.pipeline import Pipeline
    from kalelite.authoring.step import Step
    from kalelite.plan.options import PipelineKeywords, StepKeywords

P = ParamSpec("P")
R = TypeVar("R")


@overload
def step(function: Callable[P, R], /) -> Step[P, R]: ...
@overload
def step(**options: Unpack[StepKeywords]) -> Callable[[Callable[P, R]], Step[P, R]]: ...
def step(function: Any = None, /, **options: Unpack[StepKeywords]) -> Any:
    """Make a function a step of pipelines.

    Works bare (``@step``) and with options (``@step(name="train", memory="4Gi")``). The function
    keeps its signature and types, and called outside a pipeline it runs as it is.

    Parameters
    ----------
    function
        The function, when the decorator is used without brackets.
    options
        What each does is in the README's table; mistakes are reported with the pipeline's.

        ``name="train-big"``: the task's name; the function's own unless it is given
        ``display_name="Train the model"``: what pictures and lists call the step
        ``cpu=2 or 0.5 or '500m'``: cores that the step needs
        ``cpu_limit=4``: cores that it gets at most
        ``memory="8Gi"``: memory that the step needs: bytes, or a text
        ``memory_limit="16Gi"``: memory that it gets at most
        ``gpu=1``: how many GPUs the step needs
        ``accelerator="amd.com/gpu"``: which resource `gpu` counts; `nvidia.com/gpu` unless it is
            given
        ``ephemeral_storage="20Gi"``: disk of the node that the step needs
        ``ephemeral_storage_limit="40Gi"``: disk of the node that it gets at most
        ``retries=3 or Retries(3, wait="10s", factor=2, max_wait="5m", only=(OSError,))``: how often
            a failed attempt is tried again, and after which wait
        ``timeout=90 or "1h30m"``: when an attempt is stopped: seconds, or a text
        ``cache=True``: True: the result of an earlier run is taken if the code, the libraries that
            it imports, the inputs, `env` and `packages` are the same; else the step runs, as steps
            may do more than return a value
        ``ignore_failures=True``: the step runs even if what it waits for has failed
        ``image="python:3.11"``: the container image that the step runs in
        ``packages=["pandas>=2"]``: packages that the step needs, as pip takes them
        ``env={"MODE": "fast"}``: environment variables; a value that looks like a secret is refused
            unless it is `NotSecret(…)`
        ``secrets={"TOKEN": ("name", "key"), "/creds": "name"}``: a Secret of Kubernetes as
            variables or as files
        ``config_maps={"MODE": ("name", "key"), "/settings": "name"}``: a ConfigMap of Kubernetes as
            variables or as files
        ``volumes={"/data": "claim"} or [Volume("claim", "/data", read_only=True, sub_path="x")]``:
            claims that are mounted
        ``node_selector={"disk": "ssd"}``: labels of the nodes that the pod may run on
        ``tolerations=["gpu=yes:NoSchedule"]``: taints of nodes that the pod tolerates
        ``affinity={"nodeAffinity": {…}}``: the pod's affinity, as in Kubernetes
        ``labels={"team": "research"}``: labels of the pod
        ``annotations={"example.com/owner": "me"}``: annotations of the pod
        ``pull_policy="Always"``: when the image is pulled
        ``pull_secrets=["registry"]``: Secrets that the image is pulled with
        ``security_context=SecurityContext(run_as_user=1000, run_as_group=100)``: user and group
            that the step runs as

    Returns
    -------
    Step
        What stands for the function: ``train.options(memory="8Gi")(x)``, ``train.after(other)(x)``.
    """
    from kalelite.authoring.step import define_step

    return define_step(function, options, sys._getframe(1))


@overload
def pipeline(function: Callable[P, R], /) -> Pipeline[P, R]: ...
@overload
def pipeline(**options: Unpack[PipelineKeywords]) -> Callable[[Callable[P, R]], Pipeline[P, R]]: ...
def pipeline(function: Any = None, /, **options: Unpack[PipelineKeywords]) -> Any:
    """Make a function a pipeline.

    Calling it runs the pipeline and returns the value that the function returns, or, in the body
    of another pipeline, makes it a part of that. Works bare (``@pipeline``) and with options
    (``@pipeline(name="train", order="calls")``).

    Parameters
    ----------
    function
        The function, when the decorator is used without brackets.
    options
        ``name="train"``: the pipeline's name; the function's own unless it is given
        ``description="Trains."``: what it does; the function's docstring unless it is given
        ``experiment="digits"``: the experiment that runs are filed under
        ``order="calls"``: `"data"`: a step waits for the values that it takes; `"calls"`: for the
            step called before it, too
        ``marshal="artifacts"``: how values get from step to step on Kubeflow Pipelines: `"volume"`:
            on a volume that all steps mount; `"artifacts"`: through its object store, with no
            volume
        ``marshal_volume=True or "claim"``: where values are stored: True is a volume of its own for
            each run, a name is that claim, for all runs
        ``marshal_volume_size="10Gi"``: size of a run's own volume; of a claim: what has to be free
            there when a run begins
        ``marshal_path="/data/marshal"``: the path at which steps find that volume
        ``pods="few"``: `"few"`: on Kubeflow Pipelines, steps that fit together run in one pod, one
            process each; `"each"`: every step has a pod of its own
        ``defaults={"memory": "2Gi"}``: options of every step that does not give them itself

    Returns
    -------
    Pipeline
        What stands for the function from now on. It has `Pipeline.run`, `Pipeline.plan` and
        `Pipeline.compile`.
    """
    from kalelite.authoring.pipeline import define_pipeline

    return define_pipeline(function, options, sys._getframe(1))
