"""What the block statements of a pipeline's body have in common."""

from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING, Any

from kalelite.authoring.trace.binding import misfit
from kalelite.authoring.trace.refs import Poison
from kalelite.authoring.trace.tracing import Trace, current, user_frame
from kalelite.errors import PipelineError, Problem, Where
from kalelite.plan.graph import Block
from kalelite.source import locations as places


class _BlockType(type):
    """Says what is wrong with a block without brackets, or with arguments that do not fit."""

    if not TYPE_CHECKING:

        @property
        def __signature__(cls) -> inspect.Signature:
            """What `help` shows instead of the arguments of `__call__`."""
            signature = inspect.signature(cls.__init__)
            return signature.replace(parameters=list(signature.parameters.values())[1:])

        def __call__(cls, *args: Any, **kwargs: Any) -> Any:
            signature = inspect.signature(cls.__init__)
            try:
                signature.bind(None, *args, **kwargs)
            except TypeError as error:
                wrong, meant = misfit(signature, kwargs, error)
                message = f"{cls.__name__} cannot be opened like this: {wrong}"
                return cls._mended(places.of_frame(sys._getframe(1)), message, meant)
            return super().__call__(*args, **kwargs)

        def _mended(cls, where: Where, message: str, meant: str = "") -> Any:
            """A block that was written wrongly, as one that can be opened; what is wrong is noted."""
            trace = trace_of(cls.__name__, where)
            hint = f"{meant} Write `with {cls.__name__}({cls._example}):`.".lstrip()
            trace.problem("block", message, hint, where=where)
            block = super().__call__(*([Poison(trace)] if cls._example else []))
            block._where = where
            del trace.unused[id(block)]
            return block

        def __enter__(cls) -> Any:
            message = f"{cls.__name__} is written without brackets"
            block = cls._mended(places.of_frame(sys._getframe(1)), message)
            block._trace.mended.append(block)
            return block.__enter__()

        def __exit__(cls, *error: Any) -> None:
            current().mended.pop().__exit__(*error)


class ControlBlock(metaclass=_BlockType):
    """What the block statements have in common; ``block`` is the plan's block while it is open."""

    block: Block | None = None
    _example = ""  # of the arguments

    def __init__(self) -> None:
        name = type(self).__name__
        self._where = places.of_frame(user_frame())
        self._trace = trace_of(name, self._where)
        self._trace.unused[id(self)] = (name, self._where)

    def _open(self, block: Block) -> None:
        self._trace.unused.pop(id(self), None)
        self.block = block
        self._trace.open(block)

    def __exit__(self, *error: object) -> None:
        if self.block is not None:
            self._trace.close(self.block)


def trace_of(name: str, where: Where) -> Trace:
    """The trace that is going on; without one the block or function cannot be used."""
    trace = current()
    if trace is None:
        hint = "Use it in a function decorated with @pipeline; in a step, use Python's own words."
        raise PipelineError(Problem(f"{name} belongs into the body of a pipeline", hint, where))
    return trace
