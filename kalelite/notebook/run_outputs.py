"""What a run gave, as outputs of the cells that its steps and its pipeline stand in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kalelite.authoring.events import Event, RunFinished, RunStarted, TaskFinished
from kalelite.errors import Where, in_cell, referred_name
from kalelite.notebook.cell_outputs import Output
from kalelite.notebook.ipynb import Cell
from kalelite.runs.pipeline_run import Run

if TYPE_CHECKING:
    from kalelite.notebook.book import Book
    from kalelite.plan.graph import Plan


class RunOutputs:
    """Listens to runs of a notebook's pipelines.

    What a step prints becomes the output of its cell, the run that of the cell that calls the
    pipeline, or else defines it.
    """

    def __init__(self, book: Book) -> None:
        self._book = book
        self._plan: Plan | None = None
        self._folder = Path()

    def emit(self, event: Event) -> None:
        """Keep what the event tells."""
        if isinstance(event, RunStarted):
            self._plan, self._folder = event.plan, event.folder
        elif isinstance(event, TaskFinished) and self._plan is not None:
            task = self._plan.task(event.record.task.partition("[")[0])
            text = event.log.read_text("utf-8", "replace") if event.log.exists() else ""
            cell = self._cell(task.step.where)
            if text and cell is not None:
                output: Output = {"output_type": "stream", "name": "stdout", "text": text}
                self._book.outputs.add_to(cell, output)
        elif isinstance(event, RunFinished) and self._plan is not None:
            run = Run.open(event.run, folder=self._folder.parent.parent)
            data = {"text/plain": f"run {run.id}: {event.state}", "text/html": run._repr_html_()}
            if not self._book.outputs.display(data, {}, {}):
                cell = self._cell(self._plan.where)
                if cell is not None:
                    shown: Output = {"output_type": "display_data", "data": data, "metadata": {}}
                    self._book.outputs.add_to(cell, shown)

    def _cell(self, where: Where | None) -> Cell | None:
        """The cell that a place is in, or that refers to the notebook that it is in."""
        found = in_cell(where.file, where.line) if where is not None else None
        if where is None or found is None or not self._book.holds(where.file):
            return None
        cells = [cell for cell in self._book.notebook.cells if cell.kind == "code"]
        if called := referred_name(where.file):
            return next(cell for cell in cells if cell.reference == called)
        return next(cell for cell in cells if cell.number == found[0])
