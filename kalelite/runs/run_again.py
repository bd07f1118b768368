"""How a run was started, and how it is started again: by a command, or in the process that asks for it."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kalelite.authoring.backends import open_backend
from kalelite.authoring.pipeline import pipelines_of
from kalelite.errors import UsageError
from kalelite.plan.options.secrecy import is_masked, masked_words, unmasked_words
from kalelite.runs.reading import RunRecord

if TYPE_CHECKING:
    from kalelite.runs.run_files import StartData


def started_by(words: Sequence[str] = (), folder: str = "") -> StartData:
    """How this process was started: by a command with these words, given in a folder, if any was."""
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    file = getattr(main, "__file__", None)
    return {
        "words": masked_words(words),
        "script": str(Path(file).absolute()) if file else "",
        "module": (spec.name if spec is not None else "") if file else "",
        "arguments": masked_words(sys.argv[1:]) if file else [],
        "folder": folder or str(Path.cwd()),
    }


def again(words: Sequence[str]) -> list[str]:
    """The words of a command line that was recorded, with the secrets that it had."""
    return unmasked_words(words, secret_of)


def words_after(folder: Path, resume: list[str]) -> list[list[str]]:
    """The commands after a failed run, as words: what goes on with it, and what begins it anew.

    ``resume`` is the former; it is left out where nothing of the run is left to go on from, and the
    latter where no command began it.
    """
    data = RunRecord.from_folder(folder).data
    lost = "kfp" in data and not data["kfp"]["home"]
    anew = data.get("start", {}).get("words", [])
    return [words for words in ([] if lost else resume, anew) if words]


def secret_of(name: str) -> str:
    """A secret that a run was given, which no record keeps: from the environment, or asked for.

    Raises `UsageError` where nobody can be asked.
    """
    variable = re.sub(r"\W", "_", name).upper()
    if os.environ.get(variable):
        return os.environ[variable]
    if not sys.stdin.isatty():
        raise UsageError(
            f"the secret {name!r} that the run was given is not kept in its record",
            hint=f"Set {variable} in the environment.",
        )
    import getpass

    return getpass.getpass(f"{name}: ")


def resume(run: RunRecord) -> Any:
    """What `Run.resume` does."""
    found = [one for one in pipelines_of() if one.name == run.pipeline]
    if not found:
        raise UsageError(
            f"there is no pipeline {run.pipeline!r} here to go on with",
            hint=f"Define it first; where a script has it: kalelite resume {run.id}",
        )
    backend = open_backend("local", home=run.home, resume=run.id)
    values = {
        name: secret_of(name) if is_masked(value) else value
        for name, value in run.parameters.items()
    }
    return found[-1].run_on(backend, (), values)
