"""Values stored by earlier versions are still read.

``tests/marshal/goldens`` is a store; ``values.txt`` names its references. What it holds was
written once and is never written again: a change of an encoding has to come as a new one. To add
a value, put it into `VALUES` and run ``python tests/marshal/test_store_goldens.py``, which only adds.
"""

import shutil
from pathlib import Path

import numpy as np
import pytest

from kalelite.marshal import Store

FOLDER = Path(__file__).parent / "goldens"
INDEX = FOLDER / "values.txt"

_masked = np.ma.masked_array([1, 2, 3], mask=[0, 1, 0], fill_value=9)
VALUES = {
    "plain": {"a": [1, 2.5, None, True, "é"]},
    "pickle": {(1, 2): {3}, "b": b"bytes"},
    "shared": [[1, 2]] * 2,
    "array": np.arange(6, dtype=">i4").reshape(2, 3),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "transposed": np.arange(24).reshape(2, 3, 4).transpose(1, 0, 2),
    "structured": np.array([(1, 2.0, "x")], dtype=[("a", "i4"), ("b", "f8"), ("c", "U3")]),
    "dates": np.array(["2020-01-01", "NaT"], dtype="M8[D]"),
    "scalar": np.float32(1.5),
    "payload": np.arange(20_000, dtype="u4"),
    "buffers": {"x": np.arange(20_000, dtype="u4"), "y": np.arange(600.0)},
    "objects": np.array([1, "a", None], dtype=object),
    "masked": _masked,
    "view": [memoryview(b"abcd").cast("H")],
    "name": Path("not/there"),
}


def equal(one, two):
    if isinstance(two, dict):
        return one.keys() == two.keys() and all(equal(one[key], two[key]) for key in two)
    if isinstance(two, np.ma.MaskedArray):
        return repr(one) == repr(two)
    if isinstance(two, np.ndarray):
        return one.dtype == two.dtype and repr(one) == repr(two) and one.strides == two.strides
    return one == two


def golden():
    return [line.split() for line in INDEX.read_text().splitlines()]


@pytest.mark.parametrize(("name", "reference"), golden() if INDEX.exists() else [])
@pytest.mark.filterwarnings("ignore:.*may not be read as it was:RuntimeWarning")
def test_a_stored_value_is_still_read(tmp_path, name, reference):
    store = Store(shutil.copytree(FOLDER, tmp_path / "store", symlinks=True))
    value = store.load(reference)
    store.settle()
    if name in {"file", "folder"}:
        names = [value.name, *sorted(str(p.relative_to(value)) for p in value.rglob("*"))]
        assert names == (
            ["note.txt"] if name == "file" else ["data", "inner", "inner/last", "inner/one"]
        )
        text = value if name == "file" else value / "inner" / "last"
        assert text.read_text() == "golden\n"
        store.close()
        return
    assert type(value) is type(VALUES[name])
    if name == "shared":
        assert value[0] is value[1]
    assert equal(value, VALUES[name])


def test_every_value_has_a_golden():
    assert {name for name, _ in golden()} == {*VALUES, "file", "folder"}


def test_xxh3_and_sha256_are_both_there():
    assert {reference.partition("-")[0] for _, reference in golden()} == {"xxh3", "sha256"}


if __name__ == "__main__":
    import tempfile

    known = {name for name, _ in golden()} if INDEX.exists() else set()
    temporary = Path(tempfile.mkdtemp())
    (temporary / "note.txt").write_text("golden\n")
    (temporary / "data" / "inner").mkdir(parents=True)
    (temporary / "data" / "inner" / "one").write_text("golden\n")
    (temporary / "data" / "inner" / "last").symlink_to("one")
    values = VALUES | {"file": temporary / "note.txt", "folder": temporary / "data"}
    FOLDER.mkdir(exist_ok=True)
    with INDEX.open("a") as index:
        for number, (name, value) in enumerate(values.items()):
            if name not in known:
                store = Store(FOLDER, digest=("sha256", "xxh3")[number % 2])
                print(name, store.save(value), file=index)
    (FOLDER / "tmp").rmdir()
    for path in FOLDER.rglob("*"):  # git keeps no modes, and has to be able to remove it
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | 0o200)
