"""The steps of a tagged notebook, with the names that each takes and gives."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import Any

from kalelite.errors import Problem, Where
from kalelite.notebook.cell_code import CellCode
from kalelite.notebook.statement_names import Names
from kalelite.notebook.tags import Tagged, TaggedStep

Statement = tuple[CellCode, ast.stmt]


@dataclass(eq=False)
class StepFlow:
    """A step: its code, and the names that it takes and gives.

    ``helpers`` are definitions of the notebook's top that read what steps make, so that the step
    needs its own copy. ``sources`` has the step that each input comes from; an input without one
    is a parameter of the pipeline, or, where it is in ``globals``, a global.
    """

    codes: list[CellCode]
    body: list[Statement]
    tag: TaggedStep
    helpers: list[Statement] = field(default_factory=list)
    names: Names = field(default_factory=Names)
    reads: dict[str, int] = field(default_factory=dict)
    writes: set[str] = field(default_factory=set)
    inputs: list[str] = field(default_factory=list)
    globals: list[str] = field(default_factory=list)
    sources: dict[str, StepFlow] = field(default_factory=dict)
    outputs: list[str] = field(default_factory=list)
    after: list[StepFlow] = field(default_factory=list)

    @property
    def name(self) -> str:
        """What its tag calls it."""
        return self.tag.name

    @property
    def unit(self) -> str:
        """What the notebook calls the one that the step is of; empty if it is its own."""
        return self.tag.unit

    def statements(self) -> list[ast.stmt]:
        """All that the step runs."""
        return [statement for _, statement in [*self.helpers, *self.body]]

    def where(self, line_of: str) -> Where | None:
        """Where the step first reads or binds a name."""
        for code, statement in self.body:
            for node in ast.walk(statement):
                if isinstance(node, ast.Name) and node.id == line_of:
                    return code.where(node.lineno)
        return self.codes[0].where(1) if self.codes else None


@dataclass
class Flow:
    """A tagged notebook as steps.

    ``top`` are the statements of the script's top in order, with what is taken out of the steps:
    imports, and definitions that need nothing of a step. ``signatures`` are the parameters with
    their defaults: those of the pipeline at ``""``, at a unit's name those that it has to itself.
    """

    tagged: Tagged
    top: list[Statement] = field(default_factory=list)
    hoisted: list[Statement] = field(default_factory=list)
    copied: set[str] = field(default_factory=set)
    signatures: dict[str, dict[str, Any]] = field(default_factory=dict)
    steps: list[StepFlow] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @property
    def parameters(self) -> dict[str, Any]:
        """All parameters."""
        return {name: value for own in self.signatures.values() for name, value in own.items()}

    def hidden(self, step: StepFlow) -> set[str]:
        """The parameters that a step does not see: those of other units."""
        seen = self.signatures[""].keys() | self.signatures[step.unit].keys()
        return self.parameters.keys() - seen
