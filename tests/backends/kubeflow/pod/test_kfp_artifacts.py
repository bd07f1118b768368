"""What a step has logged, handed to Kubeflow Pipelines."""

from __future__ import annotations

import json

from kalelite.backends.kubeflow.pod.kfp_artifacts import HTML_TYPE, METRICS_TYPE, show
from kalelite.executor.spec import Record


def outputs(folder, **kinds):
    artifacts = {
        name: {"artifacts": [{"name": name, "type": {"schemaTitle": kind}, "uri": "minio://b/x"}]}
        for name, kind in kinds.items()
    }
    return {"artifacts": artifacts, "outputFile": str(folder / "out" / "output_metadata.json")}


def test_the_last_value_of_each_metric(tmp_path):
    metrics = (
        {"name": "loss", "value": 1.0},
        {"name": "n", "value": 3},
        {"name": "loss", "value": 0.5},
    )
    record = Record("fit", "succeeded", metrics=metrics)

    show({"": (record, tmp_path)}, outputs(tmp_path, metrics=METRICS_TYPE), {})

    told = json.loads((tmp_path / "out" / "output_metadata.json").read_text())
    assert told == {"artifacts": {"metrics": {"artifacts": [{"metadata": {"loss": 0.5, "n": 3}}]}}}


def test_a_page_of_what_was_logged(tmp_path):
    (tmp_path / "artifacts").mkdir()
    files = {
        "note.md": "fine & well",
        "curve.png": "png",
        "table.html": "<b>7</b>",
        "rows.csv": "1",
    }
    kinds = ("markdown", "image", "html", "file")
    for name, content in files.items():
        (tmp_path / "artifacts" / name).write_text(content)
    logged = tuple(
        {"name": file.partition(".")[0], "kind": kind, "file": file}
        for file, kind in zip(files, kinds, strict=True)
    )
    page = tmp_path / "store" / "page"

    record = Record("fit", "succeeded", artifacts=logged)
    show({"": (record, tmp_path)}, outputs(tmp_path, page=HTML_TYPE), {"page": str(page)})

    text = page.read_text()
    assert "<h3>note</h3><pre style='white-space:pre-wrap'>fine &amp; well</pre>" in text
    assert "src='data:image/png;base64,cG5n'" in text
    assert '<iframe sandbox srcdoc="&lt;b&gt;7&lt;/b&gt;"' in text
    assert str(tmp_path / "artifacts" / "rows.csv") in text
    assert not (tmp_path / "out").exists()


def test_steps_of_one_pod_are_told_apart(tmp_path):
    one = Record("fit", "succeeded", metrics=({"name": "loss", "value": 1.0},))
    two = Record("tune", "succeeded", metrics=({"name": "loss", "value": 0.5},))

    records = {"fit.": (one, tmp_path), "tune.": (two, tmp_path)}
    show(records, outputs(tmp_path, metrics=METRICS_TYPE), {})

    told = json.loads((tmp_path / "out" / "output_metadata.json").read_text())
    metadata = told["artifacts"]["metrics"]["artifacts"][0]["metadata"]
    assert metadata == {"fit.loss": 1.0, "tune.loss": 0.5}


def test_a_step_that_logged_nothing_after_all(tmp_path):
    page = tmp_path / "page"
    show(
        {"": (Record("fit", "succeeded"), tmp_path)},
        outputs(tmp_path, page=HTML_TYPE),
        {"page": str(page)},
    )
    assert "No artifact" in page.read_text()


def test_artifacts_of_other_types_are_left_alone(tmp_path):
    show(
        {"": (Record("fit", "succeeded"), tmp_path)}, outputs(tmp_path, file="system.Artifact"), {}
    )
    assert list(tmp_path.iterdir()) == []
