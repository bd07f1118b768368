"""``%load_ext kalelite``: ``%%step``; ``%kalelite runs``, ``show``, ``graph``, ``logs``, ``resume`` and all other verbs."""

from __future__ import annotations

import shlex
from typing import Any

from IPython.core.completer import (
    CompletionContext,
    SimpleCompletion,
    SimpleMatcherResult,
    context_matcher,
)
from IPython.core.magic import no_var_expand

from kalelite.authoring.pipeline import Pipeline, pipelines_of
from kalelite.cli import main
from kalelite.cli.parser import VERBS
from kalelite.notebook.cell_step import define_cell_step
from kalelite.runs.pipeline_run import Run, list_runs


def load_ipython_extension(shell: Any) -> None:
    """Add the magics, and the completion of verbs and runs."""

    def kalelite(line: str) -> Any:
        """Run a command of kalelite; pipelines and runs of this notebook are shown here."""
        words = shlex.split(line)
        value = shell.user_ns.get(words[1]) if words[1:] else None
        if words[:1] == ["graph"] and isinstance(value, Pipeline):
            return value
        if words[:1] == ["show"] and len(words) < 3:
            return Run.open(*words[1:])
        if words[:1] == ["resume"] and len(words) < 3:
            run = Run.open(*words[1:])
            if any(one.name == run.pipeline for one in pipelines_of()):
                return run.resume()
        main(words)
        return None

    @no_var_expand
    def step(line: str, cell: str) -> None:
        """Make the cell a step: ``%%step NAME [memory=8Gi …] [-i a,b] [-o c,d]``.

        It takes the names that the cell reads and does not assign before, but for functions,
        classes and modules of the notebook (or those behind -i; the others are globals), and
        returns those that it assigns and that do not begin with an underscore (or those behind -o).
        """
        __tracebackhide__ = True
        define_cell_step(line, cell, shell)

    @context_matcher()  # type: ignore[untyped-decorator]
    def complete(context: CompletionContext) -> SimpleMatcherResult:
        """Without Python's own names, which IPython's hook for commands leaves among them."""
        before = context.line_with_cursor.rpartition(" ")[0].split()  # the word that is typed
        if before[:1] != ["%kalelite"]:
            return {"completions": []}
        words = _words(before[1:], shell.user_ns)
        found = [SimpleCompletion(word) for word in words if word.startswith(context.token)]
        return {"completions": found, "suppress": True, "ordered": True}

    shell.register_magic_function(kalelite, "line", "kalelite")
    shell.register_magic_function(step, "cell", "step")
    shell.Completer.custom_matchers.append(complete)


def _words(before: list[str], names: dict[str, Any]) -> list[str]:
    """What may follow these words of a command."""
    if not before:
        return list(VERBS)
    if before[0] == "graph":
        return [n for n, one in names.items() if isinstance(one, Pipeline) and n[0] != "_"]
    return ["last", *(run.id for run in list_runs(limit=20))]
