"""The record of a run that was not started from here, but in KFP's UI or by a schedule.

Its prepare step begins it on the run's volume, as `kalelite.runs.run_files` says, under an id of
ours. The folder by KFP's id, in which all pods keep their records, is a link to it.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any


def begin(home: str, run: str, record: Mapping[str, Any], parameters: Mapping[str, Any]) -> None:
    """Begin the record of the run with this id of KFP's; an earlier pod may have done it already.

    On a volume that knows no links, pods keep records by KFP's id alone.
    """
    now = time.time()
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(now))
    digest = hashlib.sha256(run.encode()).hexdigest()
    link = Path(home, "runs", run)
    try:
        with suppress(FileExistsError):
            link.symlink_to(f"{stamp}-{int(now * 1000) % 1000:03d}{digest[:4]}")
        folder = link.with_name(os.readlink(link))
        (folder / "tasks").mkdir(parents=True, exist_ok=True)
        if (folder / "run.json").exists():
            return
        data = {
            **record,
            "id": folder.name,
            "started": now,
            "parameters": dict(parameters),
            "kfp": {**record["kfp"], "run": run},
        }
        part = folder / f".run.json.{os.urandom(4).hex()}"
        part.write_text(json.dumps(data, indent=1), "utf-8")
        part.replace(folder / "run.json")
    except OSError as error:
        print(f"prepare: the run has no record on the volume: {error}")
