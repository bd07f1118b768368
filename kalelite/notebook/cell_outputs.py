"""What cells print, display and raise, kept for an executed copy of the notebook."""

from __future__ import annotations

import copy
import json
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import IO, Any, cast

from kalelite.atomic import write_atomically
from kalelite.errors import UsageError
from kalelite.notebook.ipynb import Cell, NotebookFile

Output = dict[str, Any]


class _Tee:
    """A stream that also keeps what is written to it."""

    def __init__(self, stream: IO[str], name: str, outputs: CellOutputs) -> None:
        self.stream, self._name, self._outputs = stream, name, outputs

    def write(self, text: str) -> int:
        self._outputs.stream(self._name, text)
        return self.stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


class CellOutputs:
    """The outputs of cells. Without ``wanted`` nothing is kept."""

    def __init__(self, *, wanted: bool = False) -> None:
        self.wanted = wanted
        self._of: dict[Cell, list[Output]] = {}
        self._ids: dict[str, list[Output]] = {}
        self._current: Cell | None = None

    @contextmanager
    def of(self, cell: Cell) -> Iterator[None]:
        """Keep what happens meanwhile as the outputs of a cell."""
        if not self.wanted:
            yield
            return
        self._current = cell
        self._of[cell] = []
        out = cast("IO[str]", _Tee(sys.stdout, "stdout", self))
        err = cast("IO[str]", _Tee(sys.stderr, "stderr", self))
        try:
            with redirect_stdout(out), redirect_stderr(err):
                yield
        except Exception as error:
            self._add(
                {
                    "output_type": "error",
                    "ename": type(error).__name__,
                    "evalue": str(error),
                    "traceback": traceback.format_exception(error),
                }
            )
            raise
        finally:
            self._current = None

    def _add(self, output: Output) -> None:
        if self._current is not None:
            self._of[self._current].append(output)

    def stream(self, name: str, text: str) -> None:
        """A text that was printed."""
        if self._current is None or not text:
            return
        before = self._of[self._current]
        if before and before[-1].get("name") == name:
            before[-1]["text"] += text
        else:
            self._add({"output_type": "stream", "name": name, "text": text})

    def display(
        self,
        data: Mapping[str, Any],
        metadata: Mapping[str, Any],
        transient: Mapping[str, Any],
        *,
        update: bool = False,
    ) -> bool:
        """Something that was displayed, or displayed anew; whether a cell runs now to hold it."""
        if self._current is None:
            return False
        known = self._ids.setdefault(str(transient.get("display_id")), [])
        if update:
            for output in known:
                output.update(data=_as_json(data), metadata=dict(metadata))
            return True
        output = {
            "output_type": "display_data",
            "data": _as_json(data),
            "metadata": dict(metadata),
        }
        if "display_id" in transient:
            known.append(output)
        self._add(output)
        return True

    def result(self, number: int, data: Mapping[str, Any], metadata: Mapping[str, Any]) -> None:
        """The value of the last expression."""
        self._add(
            {
                "output_type": "execute_result",
                "execution_count": number,
                "data": _as_json(data),
                "metadata": dict(metadata),
            }
        )

    def show(self, data: Mapping[str, Any]) -> None:
        """Print the text of something displayed, past what keeps the streams."""
        text = data.get("text/plain")
        if text is not None:
            print(text, file=sys.stdout.stream if isinstance(sys.stdout, _Tee) else sys.stdout)

    def clear(self) -> None:
        """Forget the outputs of the cell."""
        if self._current is not None:
            self._of[self._current].clear()

    def add_to(self, cell: Cell, output: Output) -> None:
        """An output of a cell, found after it has run."""
        self._of.setdefault(cell, []).append(output)

    def write(self, notebook: NotebookFile, path: Path) -> None:
        """Write the notebook with these outputs.

        Raises `UsageError`: the file cannot be written.
        """
        document = copy.deepcopy(notebook.document)
        for cell in notebook.cells:
            entry = document["cells"][cell.index]
            if cell.kind == "code":
                entry["outputs"] = [
                    output
                    for other, outputs in self._of.items()
                    if other == cell or other.book.endswith(f".ipynb:{cell.reference}")
                    for output in outputs
                ]
                entry["execution_count"] = cell.number or None
        try:
            text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
            write_atomically(path, text.encode())
        except OSError as error:
            raise UsageError(f"{path} cannot be written: {error.strerror}") from None


def _as_json(data: Mapping[str, Any]) -> dict[str, Any]:
    """Pictures as base64, as notebooks hold them."""
    import base64

    return {
        kind: base64.b64encode(value).decode() if isinstance(value, bytes) else value
        for kind, value in data.items()
    }
