"""`kalelite.sync` from the compiled bundle, in an image that has fsspec."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from harness import Harness

from kalelite import pipeline, step, sync

pytest.importorskip("fsspec", reason="there is no fsspec: pip install 'kalelite[s3]'")


def test_files_go_through_a_store_and_the_steps(tmp_path, kubernetes):
    base = str(tmp_path)
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "n.txt").write_text("7")

    @step
    def double(folder: str, base: str) -> str:
        out = Path(base) / "out"
        out.mkdir()
        (out / "n.txt").write_text(str(2 * int((Path(folder) / "n.txt").read_text())))
        return str(out)

    @pipeline
    def there_and_back():
        data = sync(f"file://{base}/store", f"{base}/data")
        return sync(double(data, base), f"file://{base}/results")

    notes = there_and_back.compile(tmp_path / "out.yaml")
    outcome = Harness(tmp_path / "out.yaml", kubernetes, Path(sys.executable).parent).run()

    assert any("lacks what steps import: fsspec" in each for each in notes)
    assert outcome.state == "succeeded", outcome.log()
    assert "1 file copied (2 B)" in outcome.log()
    assert (tmp_path / "results" / "n.txt").read_text() == "14"
