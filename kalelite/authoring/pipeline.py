"""``@pipeline``: a function whose body calls the steps and what they pass on."""

from __future__ import annotations

import dataclasses
import functools
import sys
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, Generic, ParamSpec, TypeVar, Unpack, cast

from kalelite.authoring.backends import (
    Backend,
    Submission,
    ambient_backend,
    ambient_listener,
    open_backend,
)
from kalelite.authoring.definition import function_problem, look_like
from kalelite.authoring.parameters import arguments_of, parameters_of, with_defaults
from kalelite.authoring.step import Step
from kalelite.errors import PipelineError, Problem, Where
from kalelite.plan.graph import Plan
from kalelite.plan.options import (
    CompileKeywords,
    PipelineKeywords,
    PipelineOptions,
    pipeline_options,
)
from kalelite.source import locations as places

P = ParamSpec("P")
R = TypeVar("R")


class Pipeline(Generic[P, R]):
    """A decorated function. Calling it runs the pipeline; inside another pipeline it nests.

    Attributes
    ----------
    name
        The function's name, or the one given to the decorator.
    parameters
        The parameters of the pipeline, from the function's signature.
    options
        Those given to the decorator.
    description
        The function's docstring, or the text given to the decorator.
    where
        The function's place in the source.
    problems
        What is wrong with the definition itself.
    """

    __wrapped__: Callable[P, R]

    def __init__(
        self,
        function: Callable[P, R],
        *,
        name: str,
        description: str,
        options: PipelineOptions,
        where: Where | None,
        problems: Iterable[Problem] = (),
    ) -> None:
        self.name = name
        self.options = options
        self.where = where
        self.description = description
        look_like(self, function)
        self.parameters, found = parameters_of(function)
        self.problems = (*problems, *found)
        _defined[:] = [ref for ref in _defined if ref() is not None]
        _defined.append(weakref.ref(self))

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R:
        from kalelite.authoring.trace.body import nest  # here: decorating needs no tracing
        from kalelite.authoring.trace.tracing import current

        trace = current()
        if trace is not None:
            return cast("R", nest(trace, self, args, kwargs, places.of_frame(sys._getframe(1))))
        return cast("R", self.run(*args, **kwargs))

    def after(self, *others: Any) -> Callable[P, R]:
        """The same pipeline, all of it waiting for others, for one call in another pipeline.

        ``train.after(prepared)(x)`` says the same as ``train(x, after=prepared)``, and type
        checkers understand it.
        """
        return cast("Callable[P, R]", functools.partial(cast("Any", self), after=others))

    def draft(self) -> tuple[Plan, list[Problem]]:
        """The plan as far as it is known, and all that is wrong with it.

        For pictures and reports of pipelines that are not right yet; `plan` is for the others.
        """
        from kalelite.authoring.trace.body import trace_body
        from kalelite.plan.check import check, in_source_order

        plan, found = trace_body(self)
        problems = [*self.problems, *found]
        # A body that could not be read has few steps, or none: that is no second mistake.
        if plan.tasks or not problems:
            problems += check(plan)
        return plan, in_source_order(problems)

    def plan(self, *args: Any, **kwargs: Any) -> Plan:
        """The plan of this pipeline; no step runs.

        Parameters
        ----------
        args, kwargs
            Values of pipeline parameters, all optional here; they become defaults in the plan.

        Raises
        ------
        PipelineError
            With every problem that the pipeline has.
        UsageError
            A value is not one that its parameter takes.
        """
        plan, problems = self.draft()
        if problems:
            raise PipelineError(*problems)
        return with_defaults(plan, args, kwargs)

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """Run the pipeline on the ambient backend, which is this machine unless another was set.

        Parameters
        ----------
        args, kwargs
            Values of the pipeline's parameters. ``resume=`` is the id of a run to go on with, or
            "last", unless the pipeline has a parameter of that name: what is finished there and
            unchanged is taken, the rest runs.

        Returns
        -------
        Any
            What the pipeline function returned.

        Raises
        ------
        PipelineError
            The pipeline is wrong; nothing was run.
        UsageError
            A value is missing, or is not one that its parameter takes.
        Exception
            What a step raised; `StepError` if it failed in another way.
        """
        backend = ambient_backend()
        if backend is None:
            return cast("Any", self.__wrapped__)(*args, **kwargs)
        if "resume" in kwargs and all(each.name != "resume" for each in self.parameters):
            backend = backend.resuming(kwargs.pop("resume"))
        return self.run_on(backend, args, kwargs)

    def compile(
        self, path: str | Path, *, backend: str = "kubeflow", **settings: Unpack[CompileKeywords]
    ) -> Sequence[str]:
        """Write the pipeline as a package for Kubeflow Pipelines.

        Parameters
        ----------
        path
            The YAML file to write.
        backend
            The backend that the file is for.
        settings
            As of `CompileKeywords`; None is the same as leaving a setting out.

        Returns
        -------
        Sequence[str]
            What you should know about the file, such as packages that the image has to have.

        Raises
        ------
        PipelineError
            The pipeline is wrong, or asks for something that Kubeflow Pipelines cannot do.
        """
        return open_backend(backend, **settings).compile(self.plan(), path, {})

    def submit(
        self,
        *args: Any,
        backend: str = "kubeflow",
        client: Any = None,
        settings: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> Submission:
        """Start a run of the pipeline on Kubeflow Pipelines, and do not wait for it.

        Parameters
        ----------
        args, kwargs
            Values of the pipeline's parameters.
        backend
            The backend that runs it.
        client
            Your own `kfp.Client` or `kfp.kubeflow_client.PipelinesClient`; by default the settings
            ``kfp_host`` and so on say how the API is reached.
        settings
            Settings of that backend: those of a compilation, ``kfp_host`` and the like,
            ``run_name``, ``experiment`` and ``service_account``.

        Returns
        -------
        Submission
            The run, with ``url``, ``state``, ``wait()``, ``value("train.model")``,
            ``logs("train")`` and ``cancel()``.

        Raises
        ------
        PipelineError
            The pipeline is wrong, or asks for something that Kubeflow Pipelines cannot do.
        UsageError
            A value is missing, or is not one that its parameter takes.
        ClusterError
            Kubeflow Pipelines refuses the run, or does not answer.
        """
        import os

        from kalelite.settings import settings_here  # here: decorating needs no settings

        given = {**settings_here(backend, os.environ, Path.cwd()), **(settings or {})}
        given |= {} if client is None else {"client": client}
        opened = open_backend(backend, **given)
        return opened.submit(*self._checked(opened, args, kwargs))

    def run_on(self, backend: Backend, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """As `run`, on a backend that is given."""
        plan, arguments = self._checked(backend, args, kwargs)
        result = backend.run(plan, arguments, ambient_listener())
        result.check()
        return result.value

    def _checked(
        self, backend: Backend, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> tuple[Plan, Mapping[str, Any]]:
        """The plan, and a converted value for every parameter."""
        from kalelite.authoring.trace.tracing import user_frame

        plan = self.plan()
        fixed = backend.fixed(plan.parameters)
        parameters = tuple(
            dataclasses.replace(parameter, default=fixed.get(parameter.name, parameter.default))
            for parameter in plan.parameters
        )
        arguments = arguments_of(
            self, parameters, tuple(args), kwargs, places.of_frame(user_frame())
        )
        return plan, {**arguments, **fixed}

    def __repr__(self) -> str:
        return f"<pipeline {self.name}>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """How a notebook shows the pipeline: its parameters and its picture."""
        del include, exclude  # IPython filters what it gets
        from kalelite.picture.mimebundle import plan_mimebundle

        return plan_mimebundle(*self.draft())


_defined: list[weakref.ref[Pipeline[..., Any]]] = []


def pipelines_of(namespace: Mapping[str, Any] | None = None) -> list[Pipeline[..., Any]]:
    """Pipelines in the order of their definition: all, or those that a namespace holds."""
    pipelines = [pipeline for ref in _defined if (pipeline := ref()) is not None]
    if namespace is None:
        return pipelines
    here = {id(value) for value in namespace.values()}
    return [pipeline for pipeline in pipelines if id(pipeline) in here]


def define_pipeline(function: Any, options: PipelineKeywords, frame: FrameType) -> Any:
    """What `kalelite.pipeline` makes of a function, or of options alone, where ``frame`` calls it."""
    place = places.of_decorator(frame)
    problems = []
    if isinstance(function, str):
        hint = f"Write `@pipeline(name={function!r})`."
        problems.append(Problem(f"@pipeline was given {function!r} without its name", hint, place))
        options.setdefault("name", function)
        function = None
    if function is None:
        return lambda function: _define(function, options, problems, place)
    return _define(function, options, problems, place)


def _define(
    function: Any, keywords: PipelineKeywords, problems: list[Problem], place: Where
) -> Pipeline[..., Any]:
    options, found = pipeline_options(where=place, **keywords)
    problems = [*problems, *found]
    if isinstance(function, (Step, Pipeline)):
        kind = "step" if isinstance(function, Step) else "pipeline"
        message = f"`{function.name}` is a {kind} already, and @pipeline was put on it"
        hint = "Keep one of the two decorators; call the step in the body of a pipeline."
        wrong: Problem | None = Problem(message, hint, place)
    else:
        wrong = function_problem(function, "pipeline", place)
    if wrong is not None:
        problems.append(wrong)
        function = _empty
    doc = getattr(function, "__doc__", None)
    return Pipeline(
        function,
        name=options.name or function.__name__,
        description=options.description or (doc or "").strip(),
        options=options,
        where=places.of_function(function) or place,
        problems=problems,
    )


def _empty() -> None:
    """Stands for the body of what is no function."""
