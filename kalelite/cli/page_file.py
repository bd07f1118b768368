"""The pages of runs, written where they were asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kalelite.atomic import write_atomically
from kalelite.errors import UsageError
from kalelite.humanize import near_path
from kalelite.runs.report.comparison_page import comparison_page
from kalelite.runs.report.run_page import run_page

if TYPE_CHECKING:
    from kalelite.display.screen import Screen
    from kalelite.runs.pipeline_run import Run


def write_page(runs: Sequence[Run], file: str, out: Screen) -> None:
    """Write the page of a run, or of several compared, into a file or, for ``-``, to the output.

    Raises `UsageError` if the file cannot be written.
    """
    page = run_page(runs[0]) if len(runs) == 1 else comparison_page(runs)
    if file == "-":
        out.write(page)
        return
    try:
        # Half of a surrogate pair, which a name or a text may hold, is no text for a file.
        write_atomically(file, page.encode("utf-8", "replace"))
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}") from error
    out.line(f"wrote {near_path(str(Path(file).absolute()))}", fit="keep")
