"""What a step has logged, as artifacts that Kubeflow Pipelines shows: its metrics, and a page."""

from __future__ import annotations

import base64
import json
import mimetypes
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from kalelite.executor.spec import Record

METRICS_TYPE = "system.Metrics"
HTML_TYPE = "system.HTML"
"""The types, as KFP calls them."""


def show(
    records: Mapping[str, tuple[Record, Path]], outputs: Mapping[str, Any], paths: Mapping[str, str]
) -> None:
    """Give KFP the artifacts that it expects of a pod whose steps have succeeded.

    ``records`` are those of the steps, with their folders, by what stands before their names.
    ``outputs`` is KFP's description of what the pod is to leave, and ``paths`` are the files of the
    artifacts by their names.
    """
    kinds = {
        name: each["artifacts"][0].get("type", {}).get("schemaTitle")
        for name, each in outputs.get("artifacts", {}).items()
        if each
    }
    described: dict[str, Any] = {}
    for name, kind in kinds.items():
        if kind == METRICS_TYPE:
            # The last of a series: KFP has one value for a name.
            values = {
                f"{prefix}{entry['name']}": entry["value"]
                for prefix, (record, _) in records.items()
                for entry in record.metrics
            }
            described[name] = {"artifacts": [{"metadata": values}]}
        elif kind == HTML_TYPE:
            _write(Path(paths[name]), _page(records))
    if described:
        _write(Path(outputs["outputFile"]), json.dumps({"artifacts": described}))


def _page(records: Mapping[str, tuple[Record, Path]]) -> str:
    """The artifacts, each below its name; pages in frames of their own, whose scripts do not run."""
    shown = (
        f"<h3>{escape(prefix + entry['name'])}</h3>"
        f"{_shown(entry['kind'], folder / 'artifacts' / entry['file'])}"
        for prefix, (record, folder) in records.items()
        for entry in record.artifacts
    )
    body = "".join(shown) or "No artifact was logged."
    return f"<!DOCTYPE html><meta charset='utf-8'><body style='font-family:sans-serif'>{body}"


def _shown(kind: str, path: Path) -> str:
    if kind not in {"image", "html", "markdown"} or not path.is_file():
        return f"<code>{escape(str(path))}</code>"  # where it lies on the run's volume
    data = path.read_bytes()
    if kind == "image":
        type = mimetypes.guess_type(path.name)[0] or "image/png"
        source = f"data:{type};base64,{base64.b64encode(data).decode()}"
        return f"<img style='max-width:100%' src='{source}'>"
    text = escape(data.decode("utf-8", "replace"))
    if kind == "html":
        return f'<iframe sandbox srcdoc="{text}" style="width:100%;height:320px"></iframe>'
    return f"<pre style='white-space:pre-wrap'>{text}</pre>"


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8", "backslashreplace")
