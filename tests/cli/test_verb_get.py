"""``kalelite get RUN OUTPUT -o FILE``: values of a run as files that other tools open."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys

import pytest

SCRIPT = """
from pathlib import Path
from kalelite import ParallelFor, pipeline, step

class Scale:
    def __init__(self, by):
        self.by = by

@step
def frame():
    import pandas as pd
    return pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})

@step
def array():
    import numpy as np
    return np.array([[0.1, 2.0], [3.0, 4.5]])

@step
def model():
    from sklearn.linear_model import LinearRegression
    return LinearRegression().fit([[0.0], [1.0]], [1.0, 3.0])

@step
def figure():
    from matplotlib.figure import Figure
    made = Figure()
    made.subplots().plot([1, 2])
    return made

@step
def other() -> tuple[dict, str, float, Scale]:
    return {"lr": 0.1}, "two\\nlines", 0.5, Scale(2)

@step
def files() -> tuple[Path, Path]:
    Path("data.txt").write_text("as it was")
    Path("tree/deep").mkdir(parents=True)
    Path("tree/deep/run").write_text("#!/bin/sh")
    Path("tree/deep/run").chmod(0o755)
    return Path("data.txt"), Path("tree")

@step
def kinds():
    import numpy as np
    import pandas as pd
    odd = np.array([{"a": 1}, None], dtype=object)
    masked = np.ma.masked_array([1, 2], [False, True])
    by_day = pd.DataFrame({"v": [1 / 3]}, index=pd.Index(["monday"], name="day"))
    mixed = {"loss": np.float32(0.5), "counts": np.arange(2)}
    return odd, masked, by_day, mixed

@step
def square(x: int):
    return x * x

@step
def page(x: int):
    Path("page.txt").write_text(str(x))
    return Path("page.txt")

@pipeline
def main():
    frame(), array(), model(), figure()
    file, folder = files()
    settings, text, score, scale = other()
    odd, masked, by_day, mixed = kinds()
    with ParallelFor([1, 2, 3]) as x:
        square(x)
        page(x)
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """The home of one run that all tests read."""
    folder = tmp_path_factory.mktemp("get")
    (folder / "work.py").write_text(SCRIPT)
    words = [sys.executable, "-m", "kalelite", "work.py", "--home", folder / "home"]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "home"


@pytest.fixture
def get(face, home):
    return lambda *words: face("get", "last", *words, "--home", home)


def read(path):
    """What another tool has of a file."""
    import joblib
    import numpy as np
    import pandas as pd

    readers = {
        ".csv": pd.read_csv,
        ".parquet": pd.read_parquet,
        ".joblib": joblib.load,
        ".npy": np.load,
        ".json": lambda path: json.loads(path.read_text()),
    }
    return readers[path.suffix](path)


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".json"])
def test_a_frame(get, tmp_path, suffix):
    assert get("frame", "-o", f"out{suffix}").returncode == 0

    found = read(tmp_path / f"out{suffix}")
    rows = found if suffix == ".json" else found.to_dict("records")
    assert rows == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]


def test_an_array(get, tmp_path):
    for name in ("out.npy", "out.json"):
        assert get("array", "-o", name).returncode == 0
    assert get("array", "-o", "out.csv").returncode == 0

    assert read(tmp_path / "out.npy").tolist() == [[0.1, 2.0], [3.0, 4.5]]
    assert read(tmp_path / "out.json") == [[0.1, 2.0], [3.0, 4.5]]
    rows = [line.split(",") for line in (tmp_path / "out.csv").read_text().split()]
    assert [[float(text) for text in row] for row in rows] == [[0.1, 2.0], [3.0, 4.5]]


def test_a_model(get, tmp_path):
    assert get("model", "-o", "models/best.joblib").returncode == 0

    assert read(tmp_path / "models/best.joblib").predict([[2.0]]).tolist() == pytest.approx([5.0])


@pytest.mark.parametrize(
    ("suffix", "begin"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")]
)
def test_a_figure(get, tmp_path, suffix, begin):
    assert get("figure", "-o", f"plot{suffix}").returncode == 0

    assert (tmp_path / f"plot{suffix}").read_bytes().startswith(begin)


def test_plain_values(get, tmp_path):
    for name, file in {"settings": "out.json", "text": "out.txt", "score": "score.txt"}.items():
        assert get(f"other.{name}", "-o", file).returncode == 0

    assert read(tmp_path / "out.json") == {"lr": 0.1}
    assert (tmp_path / "out.txt").read_text() == "two\nlines"
    assert (tmp_path / "score.txt").read_text() == "0.5"


def test_an_object_of_a_class_of_the_script_by_pickle(get, tmp_path):
    assert get("other.scale", "-o", "scale.pkl").returncode == 0

    assert pickle.loads((tmp_path / "scale.pkl").read_bytes()).by == 2


def test_files_and_folders_as_they_were(get, tmp_path):
    assert get("files.file", "-o", "mine.txt").returncode == 0
    assert get("files.folder", "-o", "copy").returncode == 0

    assert (tmp_path / "mine.txt").read_text() == "as it was"
    assert (tmp_path / "copy/deep/run").stat().st_mode & 0o777 == 0o755
    renamed = get("files.file", "-o", "mine.csv")
    assert renamed.returncode == 2
    assert "files.file is the file data.txt, which is written as it is" in renamed.stderr


def test_all_into_a_folder(get, tmp_path):
    done = get("-o", "out/")

    assert done.returncode == 0, done.stderr
    found = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"frame.csv", "array.npy", "model.joblib", "figure.png", "data.txt", "tree"} < found
    assert "wrote out/frame.csv" in done.stdout


def test_a_step_stands_for_all_that_it_gives(get, tmp_path):
    shown = get("other")
    done = get("other", "-o", "out/")

    assert "other.score" in shown.stdout
    assert done.returncode == 0, done.stderr
    found = {path.name for path in (tmp_path / "out").iterdir()}
    assert found == {
        "other.settings.json",
        "other.text.txt",
        "other.score.json",
        "other.scale.pkl",
    }


def test_what_its_usual_format_cannot_hold_is_pickled(get, tmp_path):
    done = get("kinds", "-o", "out/")

    assert done.returncode == 0, done.stderr
    assert "wrote out/kinds.odd.pkl" in done.stdout
    assert "wrote out/kinds.mixed.pkl" in done.stdout
    with (tmp_path / "out/kinds.masked.pkl").open("rb") as file:
        assert pickle.load(file).mask.tolist() == [False, True]


def test_a_mask_is_not_lost_in_a_table(get, tmp_path):
    done = get("kinds.masked", "-o", "out.csv")

    assert done.returncode == 2
    assert "the mask would be lost" in done.stderr
    assert not (tmp_path / "out.csv").exists()


def test_json_of_frames_and_of_what_holds_arrays(get, tmp_path):
    assert get("kinds.by_day", "-o", "frame.json").returncode == 0
    assert get("kinds.mixed", "-o", "mixed.json").returncode == 0

    (row,) = read(tmp_path / "frame.json")
    assert row["day"] == "monday"
    assert abs(row["v"] - 1 / 3) < 1e-15
    assert read(tmp_path / "mixed.json") == {"loss": 0.5, "counts": [0, 1]}


def test_files_of_one_name_do_not_take_the_place_of_each_other(get, tmp_path):
    done = get("page", "-o", "out/")
    again = get("page", "-o", "out/", "-f")

    assert done.returncode == again.returncode == 0, done.stderr
    found = {path.name: path.read_text() for path in (tmp_path / "out").iterdir()}
    assert found == {"page.txt": "1", "page[1].page.txt": "2", "page[2].page.txt": "3"}


def test_items_of_a_loop(get, tmp_path):
    assert get("square", "-o", "all.json").returncode == 0
    assert get("square[2]", "-o", "one.json").returncode == 0

    assert read(tmp_path / "all.json") == [1, 4, 9]
    assert read(tmp_path / "one.json") == 9


def test_nothing_is_written_over_unasked(get, tmp_path):
    (tmp_path / "out.csv").write_text("mine")

    refused = get("frame", "-o", "out.csv")

    assert refused.returncode == 2
    assert "out.csv is there already" in refused.stderr
    assert (tmp_path / "out.csv").read_text() == "mine"
    assert get("frame", "-o", "out.csv", "-f").returncode == 0
    assert (tmp_path / "out.csv").read_text().startswith("a,b")
    assert (
        get("files.folder", "-o", "copy/").returncode
        == get("files.folder", "-o", "copy/", "-f").returncode
    )


def test_a_format_that_a_value_does_not_have(get, tmp_path):
    done = get("frame", "-o", "out.npy")

    assert done.returncode == 2
    assert "frame is a pandas DataFrame, which is not written as .npy" in done.stderr
    assert "It can be written as .csv, .parquet, .json, .joblib, .pkl" in done.stderr
    tuples = get("square", "-o", "all.npy")
    assert "square is a list of 3, which is not written as .npy" in tuples.stderr
    assert not list(tmp_path.glob("*.npy"))


def test_a_value_that_its_format_cannot_hold_leaves_what_was_there(get, tmp_path):
    (tmp_path / "scale.joblib").write_text("mine")

    done = get("other.scale", "-o", "scale.joblib", "-f")

    assert done.returncode == 2
    assert "other.scale cannot be written as .joblib" in done.stderr
    assert [path.name for path in tmp_path.iterdir() if "scale" in path.name] == ["scale.joblib"]
    assert (tmp_path / "scale.joblib").read_text() == "mine"


def test_several_outputs_do_not_go_into_one_file(get):
    done = get("frame", "array", "-o", "out.csv")

    assert done.returncode == 2
    assert "2 outputs do not go into the one file out.csv" in done.stderr


def test_json_tells_where_it_is(get):
    done = get("frame", "-o", "out.csv", "--output", "json")

    assert json.loads(done.stdout) == {"output": "frame", "file": "out.csv", "size": 12}
